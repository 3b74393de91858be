package redact

import (
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// becomes checks texts and what they should print as, and that printing again
// changes nothing.
func becomes(t *testing.T, texts map[string]string) {
	t.Helper()
	for text, want := range texts {
		require.Equal(t, want, Text(text), "of %s", text)
		require.Equal(t, want, Text(want), "again")
	}
}

func TestPasswordInURL(t *testing.T) {
	becomes(t, map[string]string{
		"amqp://user:secret@host":                                   "amqp://user:xxxxx@host",
		"redis://:secret@host:6379/0":                               "redis://:xxxxx@host:6379/0",
		"dial postgres://u:secret@[::1]:5432/db: eof":               "dial postgres://u:xxxxx@[::1]:5432/db: eof",
		"jdbc:postgresql://u:secret@h/db":                           "jdbc:postgresql://u:xxxxx@h/db",
		"mongodb://u:12345@h1:27017,h2:27017/?a=b":                  "mongodb://u:xxxxx@h1:27017,h2:27017/?a=b",
		"from amqp://a:secret@h1 to nats://b:geheim@h2":             "from amqp://a:xxxxx@h1 to nats://b:xxxxx@h2",
		"<amqp://u:secret@h>":                                       "<amqp://u:xxxxx@h>",
		`{"url":"amqp://u:secret@h","mail":"bob@x.com"}`:            `{"url":"amqp://u:xxxxx@h","mail":"bob@x.com"}`,
		"postgres://bob@corp.com:secret@h/db":                       "postgres://bob@corp.com:xxxxx@h/db",
		"postgres://u:secret@h/db?password=geh@eim&sslmode=off":     "postgres://u:xxxxx@h/db?password=xxxxx&sslmode=off",
		"postgres://u:%73ecret@h/db?sslpassword=geheim#top":         "postgres://u:xxxxx@h/db?sslpassword=xxxxx",
		"https://h/x?db_password=secret":                            "https://h/x?db_password=xxxxx",
		"https://h/x?form[password]=secret&page=2":                  "https://h/x?form[password]=xxxxx&page=2",
		"https://h/x?access_token=secret&page=2":                    "https://h/x?access_token=xxxxx&page=2",
		"cannot parse `postgres://u:se cret@h`: failed (bob@x.com)": "cannot parse `postgres://u:xxxxx@h`: failed (bob@x.com)",
	})
}

func TestPasswordInURLBadlyEscaped(t *testing.T) {
	becomes(t, map[string]string{
		"amqp://u:p@ss@host/vhost":            "amqp://u:xxxxx@host/vhost",
		"amqp://u:p:a:ss@host":                "amqp://u:xxxxx@host",
		"amqp://u:p/a/ss@host/vhost":          "amqp://u:xxxxx@host/vhost",
		"amqp://u:p@a/ss@host/vhost":          "amqp://u:xxxxx@host/vhost",
		"amqp://u:p?a=#ss@host/vhost":         "amqp://u:xxxxx@host/vhost",
		`amqp://u:p"a'ss@host`:                "amqp://u:xxxxx@host",
		`parse "amqp://u:p a@s\"s@host": bad`: `parse "amqp://u:xxxxx@host": bad`,
		"'amqp://u:p a\"ss@host' is bad":      "'amqp://u:xxxxx@host' is bad",
		"amqp://u:p%zz@host":                  "amqp://u:xxxxx@host",
	})
}

func TestPasswordThatURLParseQuotes(t *testing.T) {
	for _, dsn := range []string{
		"amqp://u:geh/eim@host",
		"amqp://u:geh%zeim@host",
		"amqp://u:geh eim@host",
		"amqp://u:geh#eim@host",
		"amqp://u:geh\"eim@host",
		"amqp://u:geh\x7feim@host",
		"amqp://u:geh[eim@host",
		"amqp://u:geh?eim@host",
		"amqp://u:geh\\eim@host",
		"amqp://u:geh%z#eim@host",
		"amqp://u:geh%2#eim@host",
	} {
		_, err := url.Parse(dsn)
		if err == nil {
			continue
		}
		text := Error(err)
		require.NotContains(t, text, "geh", err)
		require.NotContains(t, text, "eim", err)
		require.NotContains(t, text, "%z", err)
		require.Contains(t, text, "amqp://u:xxxxx", err)
	}
}

func TestPasswordAmongKeysAndValues(t *testing.T) {
	becomes(t, map[string]string{
		"host=h password=secret user=u":                  "host=h password=xxxxx user=u",
		"password=secret":                                "password=xxxxx",
		"PASSWORD = secret host=h":                       "PASSWORD = xxxxx host=h",
		"passwd=secret, pwd=geheim":                      "passwd=xxxxx, pwd=xxxxx",
		"sslpassword=secret PGPASSWORD=geheim":           "sslpassword=xxxxx PGPASSWORD=xxxxx",
		"password=p&a;ss@w'o\"rd host=h":                 "password=xxxxx host=h",
		`password='it\'s secret' host=h`:                 `password='xxxxx' host=h`,
		`password='it''s secret' host=h`:                 `password='xxxxx' host=h`,
		`password = 'se cret'`:                           `password = 'xxxxx'`,
		`"user=u password='it\\'s secret' host=h"`:       `"user=u password='xxxxx' host=h"`,
		`"user=u password=\"se cret\" host=h"`:           `"user=u password=\"xxxxx\" host=h"`,
		`password='never closed host=h`:                  `password='xxxxx`,
		"Server=h;Password=secret;Database=d":            "Server=h;Password=xxxxx;Database=d",
		"Server=h;Pwd=se;cret;User Id=u":                 "Server=h;Pwd=xxxxx;User Id=u",
		"Driver=x;PWD={se;a=b}}cret};Database=d":         "Driver=x;PWD={xxxxx};Database=d",
		"Server=h;Pwd=se cret;User Id=u":                 "Server=h;Pwd=xxxxx;User Id=u",
		"Pwd=secret;Database=d":                          "Pwd=xxxxx;Database=d",
		"password=sec;ret User=x":                        "password=xxxxx User=x",
		"password={x}y host=h":                           "password={xxxxx",
		"Server=h;Pwd={never;closed Database=d":          "Server=h;Pwd={xxxxx",
		"password=secret: connection refused":            "password=xxxxx: connection refused",
		"cannot parse `host=h password=secret`: bad":     "cannot parse `host=h password=xxxxx`: bad",
		`dsn "host=h password=secret": bad`:              `dsn "host=h password=xxxxx": bad`,
		"(password=secret)":                              "(password=xxxxx)",
		"url ?user=u&password=secret&x=y&pwd=geheim end": "url ?user=u&password=xxxxx&x=y&pwd=xxxxx end",
		"password=secret\nhost=h":                        "password=xxxxx\nhost=h",
		`api_key="se cret" client_secret=geheim`:         `api_key="xxxxx" client_secret=xxxxx`,
		"password='' host=h ?password=&x=y":              "password='' host=h ?password=&x=y",
		`ALTER USER u PASSWORD 'se cret'; SELECT 1`:      `ALTER USER u PASSWORD 'xxxxx'; SELECT 1`,
	})
}

func TestPasswordInPrintedStructs(t *testing.T) {
	becomes(t, map[string]string{
		`{"user":"u","password":"se\"cret","x":1}`:         `{"user":"u","password":"xxxxx","x":1}`,
		`{"user": "u", "db_password": "secret"}`:           `{"user": "u", "db_password": "xxxxx"}`,
		`"{\"user\":\"u\",\"password\":\"secret\"}"`:       `"{\"user\":\"u\",\"password\":\"xxxxx\"}"`,
		"{User:u Password:secret Host:h}":                  "{User:u Password:xxxxx Host:h}",
		"{User:u Password:secret}":                         "{User:u Password:xxxxx}",
		"map[password:secret user:u]":                      "map[password:xxxxx user:u]",
		`main.Config{User:"u", Password:"sec ret", X:"y"}`: `main.Config{User:"u", Password:"xxxxx", X:"y"}`,
		"bad password: \"secret\"":                         "bad password: \"xxxxx\"",
	})
}

func TestPasswordWithoutAScheme(t *testing.T) {
	becomes(t, map[string]string{
		"user:secret@tcp(host:3306)/db":                       "user:xxxxx@tcp(host:3306)/db",
		"user:p@ss:w/or(d@tcp(host:3306)/db?a=b":              "user:xxxxx@tcp(host:3306)/db?a=b",
		"user:secret@unix(/tmp/mysql.sock)/db":                "user:xxxxx@unix(/tmp/mysql.sock)/db",
		"user:123456@/db":                                     "user:xxxxx@/db",
		`dsn "user:se cret@tcp(host)/db": bad`:                `dsn "user:xxxxx@tcp(host)/db": bad`,
		"dsn=user:secret@(host)/db":                           "dsn=user:xxxxx@(host)/db",
		"address u:secret@h:5432: too many colons in address": "address u:xxxxx@h:5432: too many colons in address",
		"dial u:sec@ret@[::1]:22 failed":                      "dial u:xxxxx@[::1]:22 failed",
	})
}

func TestAuthorization(t *testing.T) {
	becomes(t, map[string]string{
		"Authorization: Bearer se.cr-et":                           "Authorization: Bearer xxxxx",
		"authorization: bearer secret, retry":                      "authorization: bearer xxxxx, retry",
		"Proxy-Authorization: Basic c2VjcmV0Og==\r\nHost: h":       "Proxy-Authorization: Basic xxxxx\r\nHost: h",
		"map[Authorization:[Bearer secret] Host:[h]]":              "map[Authorization:[Bearer xxxxx] Host:[h]]",
		`{"Authorization":"Bearer secret","x":1}`:                  `{"Authorization":"Bearer xxxxx","x":1}`,
		"Authorization: Digest username=\"u\", r=\"secret\"\nHost": "Authorization: Digest xxxxx\nHost",
		"AUTH secret":                        "AUTH xxxxx",
		"AUTH not-a-word is-secret":          "AUTH xxxxx xxxxx",
		"AUTH user secret":                   "AUTH xxxxx xxxxx",
		"sent AUTH secret: WRONGPASS try it": "sent AUTH xxxxx: WRONGPASS try it",
		"AUTH user sec:ret, then PING":       "AUTH xxxxx xxxxx, then PING",
		"AUTH secret and then more words":    "AUTH xxxxx xxxxx then more words",
		"AUTH PLAIN AHVzZXIAc2VjcmV0":        "AUTH xxxxx xxxxx",
		`["AUTH" "user" "sec ret"]`:          `["AUTH" "xxxxx" "xxxxx"]`,
		`["auth", "sec ret", "x", "y"]`:      `["auth", "xxxxx", "xxxxx", "y"]`,
		"[auth default secret]: EOF":         "[auth xxxxx xxxxx]: EOF",
		"hello 3 auth u secret setname x":    "hello 3 auth xxxxx xxxxx setname x",
	})
}

func TestTextWithoutSecretsIsUnchanged(t *testing.T) {
	for _, text := range []string{
		"",
		"dial tcp 127.0.0.1:5432: connect: connection refused",
		"dial tcp [::1]:5432: i/o timeout",
		"lookup db.example.com on 10.0.0.2:53: no such host",
		"FATAL: password authentication failed for user \"bob\" (SQLSTATE 28P01)",
		"Error 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)",
		"NOAUTH Authentication required.",
		"ERR Client sent AUTH, but no password is set",
		"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
		"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client",
		"WRONGPASS invalid username-password pair or user is disabled.",
		"535 5.7.8 AUTH failed: try again",
		"auth failed for bob: bad password",
		"invalid password: must be 12 characters",
		"Authorization: access denied",
		"syntax error: unexpected token = near line 3",
		"the password_file=/etc/pw is missing, passwords=3",
		"mail to bob@example.com or mailto:bob@example.com",
		"git clone git@github.com:connpool/connpool.git",
		"http://localhost:8080/users/@me",
		"http://host:8080?from=bob@example.com",
		`{"url":"http://host:8080","mail":"bob@x.com"}`,
		"mongodb://h1:27017,h2:27017/db?authSource=a@b",
		"https://user@host/path:with:colons",
		"postgres://bob@host:5432/db",
		"amqp://u:@host",
		`parse "http://host:80/%zz": invalid URL escape "%zz"`,
		`parse "http://host/%zz": invalid URL escape "%zz"`,
		"registry.example.com/app:1.2@sha256:0123456789abcdef",
		"connpool \"orders\": no connection in 2s: 16 of 16 in use, 40 waiting; longest held 45s by main.handleUpload (upload.go:88)",
		"12:30:45 bob@host:22 12:30",
		"context deadline exceeded",
		"\xff\xfe \x00 not UTF-8",
	} {
		require.Equal(t, text, Text(text))
	}
}

type hostile struct{}

func (*hostile) Error() string { panic("no text today") }

type nilled struct{ text string }

func (e *nilled) Error() string { return e.text }

func TestErrorTextIsRedacted(t *testing.T) {
	err := fmt.Errorf("connect: %w", errors.New("amqp://u:secret@h: refused"))
	require.Equal(t, "connect: amqp://u:xxxxx@h: refused", Error(err))
}

func TestErrorOfNilIsEmpty(t *testing.T) { require.Empty(t, Error(nil)) }

func TestErrorThatPanicsIsNamedByItsType(t *testing.T) {
	require.Equal(t, "*redact.hostile", Error(new(hostile)))
	require.Equal(t, "*redact.nilled", Error((*nilled)(nil)))
}
