package redact

import (
	"regexp"
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
var rules = sync.OnceValue(func() []*regexp.Regexp {
	return compiled(
		parameter,
		quotedValue,
		plainValue,
		secretValue,
		structField,
		urlUserinfo,
		urlParseError,
		mysqlDSN,
		bareAddress,
		authorization,
		authCommand,
	)
})

func compiled(patterns ...string) []*regexp.Regexp {
	all := make([]*regexp.Regexp, len(patterns))
	for i, p := range patterns {
		all[i] = regexp.MustCompile(p)
	}
	return all
}

// Pieces that several rules share.
const (
	// key is the end of a name whose value is a password. What stands before it
	// does not matter: sslpassword, PGPASSWORD, db.password.
	key = `(?i:password|passwd|pwd|passphrase)`

	// queryKey is such a name in a URL's query, also as form[password].
	queryKey = `[?&][^\s=&]*` + key + `\]?=`

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
const quotedValue = key + nameEnd + `(?:\s*[=:]\s*|\s+)` + quoted

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
const secretValue = `(?i:secret|token|api[_-]?key)=(?:` +
	quoted + `|([^\s&"']+?)(?:&|;|` + end + `))`

// structField is a password in a printed struct or map. With a space behind the
// colon it would be prose: "invalid password: too short".
//
//	{User:bob Password:secret Host:h}
const structField = `(?:^|[\s{\[,"'(&])[\w.-]*` + key + `:([^\s"']\S*?)` + end

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
