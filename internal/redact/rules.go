package redact

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// rules returns the rules in the order in which they apply. In each of them the
// capturing groups are the secrets and everything else is context that stays; an
// alternative without a group says "this is no secret, go on behind it".
// Alternatives are tried from the left, so the more certain reading comes first.
//
// The rules for keys come before the one for URLs: an '@' in the password
// parameter of a URL would otherwise be taken for the end of its userinfo.
//
// They are compiled when the first error is printed. At start, all programs that
// import the pool would pay 0.4 ms and 270 kB for it.
var rules = sync.OnceValue(func() []rule {
	return []rule{
		compiled(parameter, "="),
		compiled(quotedValue, names...),
		compiled(plainValue, names...),
		compiled(secretValue, names...),
		compiled(spacedSecretValue, names...),
		compiled(structField, names...),
		compiled(field, names...),
		compiled(element, names...),
		compiled(statement, "identified"),
		compiled(setting, "requirepass", "masterauth", "auth-pass", "setuser"),
		compiled(flag, names...),
		compiled(commandLine, "redis-cli", "mysql", "mariadb", "curl"),
		compiled(urlToken, "nats"),
		compiled(urlUserinfo, "://"),
		compiled(urlParseError, "invalid port", "invalid url escape"),
		compiled(mysqlDSN, "@"),
		compiled(bareAddress, "@"),
		compiled(authorization, "authorization"),
		compiled(bearer, "bearer"),
		compiled(cookie, "cookie"),
		compiled(authCommand, "auth"),
		compiled(knownShape, "_", "-", "hvs.", "aiza", "eyj"),
		compiled(privateKey, "private key"),
	}
})

// rule is a pattern and, in lower case, the texts without any of which it matches
// nothing: most errors have none of them, and are spared most patterns.
type rule struct {
	*regexp.Regexp
	marks []string
}

// names are what the names of secrets have in common.
var names = []string{"pass", "pwd", "secret", "token", "credential", "sig", "key"}

func compiled(pattern string, marks ...string) rule {
	return rule{regexp.MustCompile(pattern), marks}
}

// concerns reports whether the rule may match a text, given in lower case.
func (r rule) concerns(lower string) bool {
	return slices.ContainsFunc(r.marks, func(mark string) bool { return strings.Contains(lower, mark) })
}

// Pieces that several rules share.
const (
	// key is the end of a name whose value is a password. What stands before it
	// does not matter: sslpassword, PGPASSWORD, db.password.
	key = `(?i:password|passwd|pwd|passphrase)`

	// otherKey is the end of another name that promises a secret, where its value
	// follows at once. Of these words prose is full, so more has to be seen of a
	// setting than for a password. Names of keys, such as SharedAccessKeyName, end
	// otherwise.
	otherKey = `(?i:secret|token|credentials?|signature|\bpass|_pass|\bsig|` + keys + `)`

	// keys are names that end in key and are not those of a table's or a map's.
	keys = `(?:api|access|account|private|signing|encryption|auth|master|storage)[_-]?key`

	anyKey = `(?:` + key + `|` + otherKey + `)`

	// queryKey is such a name in a URL's query, also as form[password].
	queryKey = `[?&](?:[^\s=&]*` + key + `|(?i:key|auth))\]?=`

	// nameEnd is the quote that closes the name itself, in JSON, or in JSON that was
	// quoted again.
	nameEnd = `(?:\\*["'])?`

	// end is where a value without quotes ends: at white space, less one quote
	// and one mark of the sentence or list around it.
	end = "[\"'`]?[:,;)\\]}]?(?:\\s|$)"

	// quoted is a value in quotes. A quote closes it only where no letter or second
	// quote follows: that finds the real end of 'it''s', and of 'it\'s' when
	// somebody has escaped the backslash once more. {Braces} are how ODBC quotes,
	// where }} is one } of the value. Of what is never closed, all that follows is
	// secret.
	quoted = `(?:` +
		`\\+"(?s:(.+?))\\+"` + // escaped as a whole: "... password=\"secret\" ..."
		`|"(?s:((?:\\.|[^\\])*?))"(?:[^\w"]|$)` +
		`|'(?s:((?:\\.|[^\\])*?))'(?:[^\w']|$)` +
		"|\\{(?s:((?:\\}\\}|.)+?))\\}(?:[\\s;,:\"'`)\\]]|$)" +
		`|["'{](?s:(.+))` +
		`)`

	// inQuotes is the inside of a string that Go quoted.
	inQuotes = `(?:\\.|[^"\\])*`

	// user is the name before a password: any but one with the marks that end a
	// host, or with a quote, as that is the end of a JSON string.
	user = "[^\\s/?#:\"'`<>]*"
)

// parameter is a password in a URL's query, ended by the next parameter:
//
//	?password=secret&sslmode=disable
//	&sslpassword=secret
const parameter = queryKey + `(?:&|([^&\s]+?)(?:&|` + end + `))`

// quotedValue is a password in quotes, after its name and '=' or ':' or nothing:
//
//	password='it\'s secret'
//	"password": "secret"
//	PASSWORD 'secret'
//	PASSWORD('secret')
//	"client_secret": "secret"
const quotedValue = key + nameEnd + `(?:\s*[=:(]\s*|\s+)` + quoted +
	`|` + otherKey + `\\*["']\s*[=:]\s*` + quoted

// plainValue is a password without quotes. After a ';' it is in ODBC's form, and
// goes on to the next key, spaces and all. Otherwise it is in libpq's and goes on
// to white space: there an '&' is part of it, and a ';' unless a key follows at
// once. What the two rules before this one have dealt with, in a query or in
// escaped quotes, is passed by.
//
//	Server=h;Pwd=secret;User Id=u
//	host=h password=secret user=u
//	PASSWORD = secret
const plainValue = queryKey +
	`|` + key + nameEnd + `\s*=\s*\\+"` + mask +
	`|;[\w .-]*` + key + `\s*=\s*([^\s"'{].*?);\s*\w[\w .-]*=` +
	`|` + key + nameEnd + `\s*=\s*([^\s"'{]\S*?)(?:;\s*[\w.-]+=|` + end + `)`

// secretValue is the value of other names that promise a secret, if it follows at
// once. "unexpected token = x" is somebody's syntax error.
//
//	access_token=secret
//	api_key="secret"
//	AccountName=n;AccountKey=secret;EndpointSuffix=s
//	https://host/container?se=2026&sig=secret
const secretValue = otherKey + `=(?:` + quoted + `|([^\s&"']+?)(?:&|;|` + end + `))`

// spacedSecretValue is the same in a file of settings, for names that are not
// words of prose.
//
//	client_secret = secret
const spacedSecretValue = `(?i:[\w.-]*(?:_secret|_token|` + keys + `))\s+=\s*` + value

// structField is a secret in a printed struct or map. With a space behind the
// colon it would be prose: "invalid password: too short".
//
//	{User:bob Password:secret Host:h}
//	map[X-Api-Key:[secret] Host:[h]]
const structField = `(?:^|[\s{\[,"'(&])[\w.-]*` + anyKey + `:\[?([^\s"'\[]\S*?)` + end

// field is a secret in YAML, in a header, or in a line of such fields: its name
// begins the line, or comes after a mark or another field, and its value is one
// word, which ends the line or is followed by a mark or another field.
//
//	password: secret
//	host: h, password: secret
//	host: h password: secret user: u
//	X-Api-Key: secret
const field = `(?m:(?:^|[{\[(,;"'` + "`" + `]|:[ \t]|[:=]\s*\S+\s)[ \t]*[\w.-]*` + anyKey + `:[ \t]+` +
	`([^\s"'{\[]\S*?)["'` + "`" + `]?(?:[,;)\]}]|[ \t\r]*$|\s+[\w.-]+[:=]))`

// element is a secret in XML.
//
//	<password>secret</password>
const element = `<[\w:.-]*` + anyKey + `>([^<]+)<`

// statement is a password in SQL where the word for it is another.
//
//	CREATE USER u IDENTIFIED BY 'secret'
//	IDENTIFIED WITH plugin AS 'secret'
const statement = `(?i:\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?)` + value

// setting is a secret behind its name and a space, as in Redis.
//
//	CONFIG SET requirepass secret
//	ACL SETUSER u on >secret
const setting = `(?i:\b(?:requirepass|masterauth|sentinel auth-pass \S+))["']?,?[ \t]+` + unlessProse +
	`|(?i:\bsetuser)["']?,?[ \t][^\n>]*[\s"']>([^\s"']+)`

// flag is a secret on a command line, or in a list of arguments.
//
//	--password secret
//	["-token" "secret"]
const flag = `(?:^|[\s"'\[(` + "`" + `])--?[\w-]*` + anyKey + `["']?,?[ \t]+` + unlessProse

// commandLine is the password of programs that have a short flag for it.
//
//	redis-cli -a secret
//	mysql -u root -psecret
//	curl -u user:secret
const commandLine = `\bredis-cli\b[^\n]*?\s-a[ \t]+([^\s"']+)` +
	`|\b(?:mysql|mariadb)[\w-]*\b[^\n]*?\s-p([^\s"']+)` +
	`|\bcurl\b[^\n]*?\s(?:-u|--user)[ \t]*[^\s:]+:([^\s"']+)`

// Pieces of the rules above.
const (
	value = `(?:` + quoted + `|([^\s"'{]\S*?)(?:;|` + end + `))`

	// unlessProse is a value unless the name before it is spoken of.
	unlessProse = `(?:` + mask + `(?:\W|$)|` + aboutAuth + `(?:[\s:,.;]|$)|` + value + `)`
)

// urlToken is what stands for user and password in a URL of NATS.
//
//	nats://secret@host:4222
const urlToken = `\bnats(?:\+\w+)?://([^\s/@:,"']+)@`

// urlUserinfo is the password before a URL's host. The host begins behind the
// last '@': that keeps a badly escaped password whole, and loses no more than
// the host where an '@' follows later. A URL goes on to the quote that closes
// it or, if it is not in quotes, to white space.
//
//	amqp://user:secret@host
//	"postgres://user:p@ss/w:rd with spaces@host/db"
//
// Digits up to a slash or the like are a port, and there is no password:
//
//	http://host:8080/users/@me
//	mongodb://host:27017,host:27017/?authSource=@x
const urlUserinfo = `://` + user + `:\d{1,5}(?:,[^\s/?#@]*)?[/?#]` +
	`|"[\w+.:-]*://` + user + `:\d{1,5}"` +
	`|"[\w+.:-]*://` + user + `:(` + inQuotes + `)@` +
	`|'[\w+.:-]*://` + user + `:([^'\n]*)@` +
	"|`[\\w+.:-]*://" + user + ":([^`\n]*)@" +
	`|://` + user + `:(\S*)@`

// urlParseError is the part of a password that net/url quotes a second time when
// a character in it ends the host too early, or is badly escaped. A '#' in it even
// ends the URL, host and all, as net/url sees it; but a port that is none is no
// loss.
//
//	parse "amqp://user:xxxxx@host": invalid URL escape "%se"
//	parse "amqp://user:xxxxx@host": invalid port ":sec" after host
//	parse "amqp://user:sec": invalid port ":sec" after host
const urlParseError = `:` + mask + `@` + inQuotes + `": invalid URL escape "(` + inQuotes + `)"` +
	`|://` + user + `:([^"/@]*)": invalid URL escape "(` + inQuotes + `)"` +
	`|://` + user + `:([^"@]*)": invalid port ":(` + inQuotes + `)"` +
	`|": invalid port ":(` + inQuotes + `)"`

// mysqlDSN is the password in the form of go-sql-driver, which has no scheme; the
// address behind its last '@' has brackets, or is left out:
//
//	user:secret@tcp(host:3306)/db
//	user:secret@/db
const mysqlDSN = "\"" + user + `:((?:\\.|[^"\\\s/])(?:\\.|[^"\\\n])*)@\w*\(` +
	`|` + start + user + `:` + noSlashes + `@(?:\w*\(|/)`

// bareAddress is the password in an address without a scheme, as net quotes it
// when given one. Only a port tells it from a mail address or a file.
//
//	address user:secret@host:5432: too many colons in address
const bareAddress = start + user + `:` + noSlashes + `@(?:[\w.-]+|\[[^\s\]]*\]):\d{1,5}\b`

// How an address without a scheme begins, and what is its password: not the
// slashes of one that has a scheme.
const (
	start     = "(?:^|[\\s\"'`(=])"
	noSlashes = `([^\s/]\S*|/[^\s/]\S*)`
)

// authorization is what follows the scheme in the HTTP header, in the forms in
// which headers get printed. Some schemes have parameters to the end of the line.
//
//	Authorization: Bearer secret
//	map[Authorization:[Basic c2VjcmV0]]
//	Authorization: Digest username="u", response="secret"
const authorization = `(?im:authorization["']?\s*[:=]\s*[\["']*` +
	`(?:(?:bearer|basic|token|apikey|negotiate|ntlm)\s+([^\s"']+?)(?:["']|[\]},;:]*(?:\s|$))` +
	`|(?:digest|hawk|oauth|signature|aws4-hmac-sha256)\s+(.+)$))`

// bearer is a token without the name of its header.
//
//	Bearer secret
const bearer = `(?i:\bbearer[ \t]+)(?:` + mask + `(?:\W|$)|` + aboutAuth + `(?:[\s:,.;]|$)` +
	`|(?i:tokens?|auth\w*|realm|scope|error|scheme)(?:[\s:,.;=]|$)` +
	`|([\w.~+/=-]+))`

// cookie is all that a cookie's header says.
//
//	Cookie: session=secret; theme=dark
//	map[Set-Cookie:[session=secret]]
const cookie = `(?i:cookie)["']?\s*[:=]\s*[\["']*([^\s=;"']+=[^\]"'\n]*)`

// knownShape is a token that is known by how it begins: of GitHub, GitLab, Slack,
// npm, Vault, Stripe and others, and every JWT.
const knownShape = `\b(?:gh[oprsu]_|github_pat_|glpat-|npm_|hvs\.|sk-|[rs]k_(?:live|test)_)(\w[\w-]{15,})` +
	`|\bxox[a-z]-([\w-]{10,})` +
	`|\bAIza([\w-]{30,})` +
	`|\beyJ[\w-]{5,}\.(eyJ[\w-]+\.[\w-]*)`

// privateKey is what stands between the marks of a key in PEM, or behind the first.
const privateKey = `(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)(?:-----END|$))`

// authCommand is the password, or the user and the password, of the command that
// Redis and SMTP share. Which of two words is the password cannot be told, nor
// where prose begins again, so two go unless a mark comes between. What servers
// say about the command itself is no secret.
//
//	AUTH secret
//	[auth user secret]
//	hello 3 auth user secret
//	AUTH PLAIN c2VjcmV0
//	"AUTH" "user" "secret"
const authCommand = auth + `[ \t]+(?:` + mask + "[:,;\"'`)\\]}]*" + `(?:\s|$)|` + aboutAuth + `(?:[\s:,.;]|$))` +
	`|` + auth + `[ \t]+` + argument + `(?:[ \t]+` + argument + `)?` +
	`|["'](?i:auth)["'],?[ \t]*` + quotedArgument + `(?:,?[ \t]*` + quotedArgument + `)?`

// Pieces of authCommand.
const (
	// auth is the command where it is one: in lower case the word is prose.
	auth = `(?:\bAUTH|\[auth|\b(?i:hello [23] auth))`

	// aboutAuth is what follows the word where it is spoken of.
	aboutAuth = `(?:<\w+>|failed|failure|error|required|denied|command|called|method|mechanism|is|was|not)`

	// argument is a word less the marks behind it.
	argument       = "(\\S*[^\\s:,;\"'`)\\]}])"
	quotedArgument = `["']([^"']+)["']`
)
