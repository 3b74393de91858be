package redact

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault97_SecretsOfCloudsAndTheirConnectionStrings(t *testing.T) {
	becomes(t, map[string]string{
		"AccountName=n;AccountKey=c2VjcmV0+/==;EndpointSuffix=s":       "AccountName=n;AccountKey=xxxxx;EndpointSuffix=s",
		"Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=c2Vj=": "Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=xxxxx",
		"BlobEndpoint=https://h;SharedAccessSignature=sv=1&sig=se%2B":  "BlobEndpoint=https://h;SharedAccessSignature=xxxxx&sig=xxxxx",
		"https://h/c?sv=1&sig=se%2Bcret&se=2":                          "https://h/c?sv=1&sig=xxxxx&se=2",
		"sig=secret":                                                   "sig=xxxxx",
		"https://h/?X-Amz-Credential=i&X-Amz-Signature=secret&x=y":     "https://h/?X-Amz-Credential=xxxxx&X-Amz-Signature=xxxxx&x=y",
		"https://h/?X-Amz-Security-Token=secret":                       "https://h/?X-Amz-Security-Token=xxxxx",
		"https://maps/api?key=secret&q=x":                              "https://maps/api?key=xxxxx&q=x",
		"aws_access_key_id=id aws_secret_access_key=secret":            "aws_access_key_id=id aws_secret_access_key=xxxxx",
		"aws_secret_access_key = secret":                               "aws_secret_access_key = xxxxx",
		"//registry.npmjs.org/:_authToken=secret":                      "//registry.npmjs.org/:_authToken=xxxxx",
		"DB_PASS=secret pass=geheim":                                   "DB_PASS=xxxxx pass=xxxxx",
		"private_key=secret signing-key=geheim":                        "private_key=xxxxx signing-key=xxxxx",
	})
}

func TestFault97_SecretsInJSONAndYAMLAndXML(t *testing.T) {
	becomes(t, map[string]string{
		`{"token":"secret","x":1}`:                      `{"token":"xxxxx","x":1}`,
		`{"secret": "geheim", "client_secret": "both"}`: `{"secret": "xxxxx", "client_secret": "xxxxx"}`,
		`"{\"access_token\":\"secret\"}"`:               `"{\"access_token\":\"xxxxx\"}"`,
		`{'apiKey': 'secret'}`:                          `{'apiKey': 'xxxxx'}`,
		"password: secret":                              "password: xxxxx",
		"host: h\npassword: secret\nuser: u":            "host: h\npassword: xxxxx\nuser: u",
		"  db_password:  secret  ":                      "  db_password:  xxxxx  ",
		"host: h, password: secret, user: u":            "host: h, password: xxxxx, user: u",
		"host: h password: secret user: u":              "host: h password: xxxxx user: u",
		"bad config: {user: u, token: secret}":          "bad config: {user: u, token: xxxxx}",
		"yaml: api_key: secret":                         "yaml: api_key: xxxxx",
		"<password>se cret</password>":                  "<password>xxxxx</password>",
		"<ns:apiKey>secret</ns:apiKey>":                 "<ns:apiKey>xxxxx</ns:apiKey>",
		"{User:u Token:secret Host:h}":                  "{User:u Token:xxxxx Host:h}",
	})
}

func TestFault97_SecretsInCommands(t *testing.T) {
	becomes(t, map[string]string{
		"CREATE USER u IDENTIFIED BY 'se cret'":             "CREATE USER u IDENTIFIED BY 'xxxxx'",
		"ALTER USER u IDENTIFIED BY secret;":                "ALTER USER u IDENTIFIED BY xxxxx;",
		"create user u identified with sha2 as 'secret'":    "create user u identified with sha2 as 'xxxxx'",
		"identified by password '*secret'":                  "identified by password 'xxxxx'",
		"SET PASSWORD FOR u = PASSWORD('secret')":           "SET PASSWORD FOR u = PASSWORD('xxxxx')",
		"CREATE LOGIN l WITH PASSWORD = 'secret'":           "CREATE LOGIN l WITH PASSWORD = 'xxxxx'",
		"CONFIG SET requirepass secret":                     "CONFIG SET requirepass xxxxx",
		`["config" "set" "requirepass" "sec ret"]`:          `["config" "set" "requirepass" "xxxxx"]`,
		"masterauth secret":                                 "masterauth xxxxx",
		"ACL SETUSER u on >secret ~*":                       "ACL SETUSER u on >xxxxx ~*",
		"exec: backup --password secret --host h":           "exec: backup --password xxxxx --host h",
		"exec: backup -token 'se cret'":                     "exec: backup -token 'xxxxx'",
		`["backup" "--db-password" "secret"]`:               `["backup" "--db-password" "xxxxx"]`,
		"--password=secret --api-key=geheim":                "--password=xxxxx --api-key=xxxxx",
		"redis-cli -h h -a secret PING":                     "redis-cli -h h -a xxxxx PING",
		"mysqldump -u root -pgeheim db":                     "mysqldump -u root -pxxxxx db",
		"curl -u user:secret https://h":                     "curl -u user:xxxxx https://h",
		"git clone https://ghp_0123456789abcdef0123@host/x": "git clone https://ghp_xxxxx@host/x",
		"nats://secret@h:4222,nats://geheim@h2: no servers": "nats://xxxxx@h:4222,nats://xxxxx@h2: no servers",
		"nats: nats+tls://secret@h":                         "nats: nats+tls://xxxxx@h",
	})
}

func TestFault97_SecretsInHeadersAndTokens(t *testing.T) {
	becomes(t, map[string]string{
		"Bearer secret":                                                          "Bearer xxxxx",
		"sent bearer se.cr-et, got 401":                                          "sent bearer xxxxx, got 401",
		"X-Api-Key: secret":                                                      "X-Api-Key: xxxxx",
		"GET / HTTP/1.1\r\nX-Api-Key: secret\r\nA: b":                            "GET / HTTP/1.1\r\nX-Api-Key: xxxxx\r\nA: b",
		"-H 'X-Auth-Token: secret'":                                              "-H 'X-Auth-Token: xxxxx'",
		"map[X-Api-Key:[secret] Host:[h]]":                                       "map[X-Api-Key:[xxxxx] Host:[h]]",
		"Cookie: session=secret; theme=dark\nA: b":                               "Cookie: xxxxx\nA: b",
		"map[Set-Cookie:[session=secret] A:[b]]":                                 "map[Set-Cookie:[xxxxx] A:[b]]",
		"from glpat-0123456789abcdefghij here":                                   "from glpat-xxxxx here",
		"xoxb-0123456789-abcdef":                                                 "xoxb-xxxxx",
		"jwt eyJhbGciOi.eyJzdWIiOi.c2lnbmF0 bad":                                 "jwt eyJhbGciOi.xxxxx bad",
		"-----BEGIN RSA PRIVATE KEY-----\nAB\nCD\n-----END RSA PRIVATE KEY-----": "-----BEGIN RSA PRIVATE KEY-----xxxxx-----END RSA PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----\nAB":                                        "-----BEGIN PRIVATE KEY-----xxxxx",
	})
}

func TestFault97_ProseOfTheSameWordsIsUnchanged(t *testing.T) {
	for _, text := range []string{
		"unexpected token: }",
		`invalid character '}' looking for token`,
		"oauth2: token expired and refresh token is not set",
		"Bearer token is missing",
		`WWW-Authenticate: Bearer realm="db"`,
		"the bearer is not allowed",
		"ERR requirepass is not set",
		"flag provided but not defined: -password",
		"--password is required",
		"wrong password: try again",
		"primary key: 5 exists, foreign key: 6 does not",
		"SharedAccessKeyName=Root",
		"http: named cookie not present",
		"identified: 5 errors",
		"cannot pass 'nil' as a value",
		"bypass=1 compass=2",
		"design=3 config=4",
		"nats: no servers available for connection to nats://h:4222",
		"the secret of the trade",
		"signature verification failed: crypto/rsa: verification error",
		"curl: (7) failed to connect: user agent: x",
		"risk-averse desk-bound task-1234567890123456789",
	} {
		require.Equal(t, text, Text(text))
	}
}

// A text that is not the pool's own can end no line of its log, begin none, and
// tell a terminal nothing.
func TestFault96_AnErrorsTextIsOneLine(t *testing.T) {
	for _, mark := range []string{
		"\n", "\r", "\r\n", "\v", "\f", "\t", "\x00", "\x1b", "\x7f", "\b", "\a", "\x1c", "\x1d", "\x1e", "\x1f",
		"\u0085", "\u009b", "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\ufeff",
	} {
		text := Line(errors.New("refused" + mark + "level=ERROR msg=forged" + mark))
		require.Equal(t, "refused level=ERROR msg=forged", text, "%q", mark)
	}
	require.Equal(t, "a \uFFFD2J b", Line(errors.New("a \x9b2J b")), "C1 as a byte")
	require.Equal(t, "schöne Grüße, 你好, a  b", Line(errors.New("schöne Grüße, 你好, a  b")))
	require.Equal(t, "postgres://u:xxxxx@h", Line(errors.New("postgres://u:se\x00cret@h")))
	require.Empty(t, Line(nil))
}

// However long a text is, and whatever it is made of, what is done with it is
// bounded: so many bytes, so many times.
func TestALongTextIsCutBehindItsSecrets(t *testing.T) {
	const url = "amqp://u:secret@h "
	for _, piece := range []string{hostilePieces[0], `"://u:1`, url, "ü", "\xff"} {
		text := Text(strings.Repeat(piece, 1<<20/len(piece)))
		require.LessOrEqual(t, len(text), longest, "%q", piece)
		require.Equal(t, text, Text(text), "again, of %q", piece)
	}
	for fill := range len(url) + len(more) { // wherever the cut goes through
		text := Text(strings.Repeat("x", fill) + " " + strings.Repeat(url, 1000))
		require.NotContains(t, text, ":se", "after %d", fill)
		require.True(t, strings.HasSuffix(text, more) || strings.HasSuffix(text, mask), text[len(text)-20:])
	}
	whole := strings.Repeat("word ", longest/5)
	require.Equal(t, whole, Text(whole))
}

func TestItTakesFewPassesOverHostileTexts(t *testing.T) {
	for _, piece := range hostilePieces {
		require.NotEqual(t, mask, hide(strings.Repeat(piece, 1000/len(piece))), "%q", piece)
	}
}

// hostilePieces are what texts are made of that have the rules begin over and over.
var hostilePieces = []string{
	"password='", "password=a;", "://u:p@", "a:b@", `"://u:1`, "AUTH x ", "token=", "secret: x ", "<token>x",
	"--password ", "Bearer ", "cookie: a=", "mysql -p", "redis-cli -a ", "curl -u a:b", "setuser >", "identified by '",
	"eyJaaaaaa.", "-----BEGIN PRIVATE KEY-----", "password={a}}", `\"`, "&password=", "x=y password: z ", "a: password: ",
}
