package redact

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// dsn is a way to write a secret into an error text. Its raw form takes any
// secret without the characters in never; where those are quoted or escaped, it
// takes any.
type dsn struct {
	format string
	escape func(string) string
	never  string
}

func raw(s string) string { return s }

func libpqQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func odbcQuoted(s string) string { return "{" + strings.ReplaceAll(s, "}", "}}") + "}" }

const space = " \t\n\v\f\r"

var dsns = []dsn{
	{"connect amqp://user:%s@host/vhost: refused", raw, space + "/?#"},
	{"connect amqp://user:%s@host/vhost: refused", url.QueryEscape, ""},
	{"postgres://user@corp:%s@[::1]:5432/db?sslmode=off", raw, space + "/?#"},
	{"parse %s: net/url: invalid userinfo", func(s string) string {
		return strconv.Quote("redis://user:" + s + "@host:6379")
	}, "/?#"},
	{"open https://host/x?user=u&password=%s&sslmode=off", url.QueryEscape, ""},
	{"open https://host/x?user=u&password=%s&sslmode=off", raw, space + "&"},
	{"host=h password=%s user=u: refused", raw, space + `'"\;`},
	{"host=h PASSWORD = %s user=u: refused", libpqQuoted, ""},
	{"cannot parse `host=h sslpassword=%s`: bad", libpqQuoted, "`"},
	{"Server=h;Pwd=%s;User Id=u", odbcQuoted, "\n"},
	{"Server=h;Password=%s;Database=d", raw, space + `'"\;`},
	{`{"user":"u","password":%s,"host":"h"}`, strconv.Quote, ""},
	{`main.Config{User:"u", Password:%s}`, strconv.Quote, ""},
	{"{User:u Password:%s Host:h}", raw, space + `'"\`},
	{"user:%s@tcp(host:3306)/db", raw, space + "/"},
	{"dial user:%s@host:5432: refused", raw, space + "/"},
	{"Authorization: Bearer %s", raw, space + `'"`},
	{"DefaultEndpointsProtocol=https;AccountName=n;AccountKey=%s;EndpointSuffix=s", raw, space + `'"\&;`},
	{"Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=%s;EntityPath=e", raw, space + `'"\&;`},
	{"get https://h/c?sv=1&sig=%s&se=2: 403", url.QueryEscape, ""},
	{`{"user":"u","client_secret":%s,"x":1}`, strconv.Quote, ""},
	{`{"token": %s}`, strconv.Quote, ""},
	{"X-Api-Key: %s", raw, space + `'"{[,;)]}` + "`"},
	{"host: h\npassword: %s\nuser: u", raw, space + `'"{[,;)]}` + "`"},
	{"<password>%s</password>", raw, "<"},
	{"AUTH %s", raw, space + "<'\"`"},
	{"AUTH user %s", raw, space + "'\"`"},
}

// fits reports whether the secret can be told from its surroundings: of a
// sensible length, free of what would end it, no name of a secret or part of the
// mask itself, and not part of the text anyway. A mark at its end may be taken for
// the sentence's.
func (d dsn) fits(secret string) bool {
	return len(secret) >= 4 && len(secret) <= 40 && !strings.ContainsAny(secret, d.never) &&
		strings.TrimRightFunc(secret, punctuation) == secret && !ambiguous.MatchString(secret) &&
		!strings.Contains(d.with(mask), secret)
}

var ambiguous = regexp.MustCompile(key + `|(?i:secret|token|api[_-]?key)=|xxx`)

func punctuation(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

func (d dsn) with(secret string) string { return fmt.Sprintf(d.format, d.escape(secret)) }

// FuzzText holds Text to three promises: again changes nothing, no secret that
// can be told from its surroundings is left, and a text that has none of the
// marks that surround secrets stays as it is.
func FuzzText(f *testing.F) {
	for _, text := range []string{
		"", "xxxxx", "xxx", "password='", "AUTH AUTH AUTH x y z", `password="'x' y"`, "pwd={a}b}",
		"://://u:p@h://", "a:b@c:1 a:b@c:1", `":` + mask + `@": invalid port "x"`, "Pwd=a;Pwd=b;Pwd=c;",
		"Authorization: Bearer Authorization: Bearer x", "password=password=password=x",
	} {
		f.Add(text, "s3cr3t@/:x")
	}
	for _, secret := range []string{
		"hunter2", "p@ss:w/o?r#d1", "it's secret", `back\slash`, `quo"te"d1`, "tw}o}}s", "se;cret=x", "a&b=c",
		"12345/x", "with space", "üñï", "AUTH x AUTH y", "xxxxxx", "xxxxx@y", "a, b", "1://x:y@z",
	} {
		f.Add("host=h", secret)
	}
	f.Fuzz(func(t *testing.T, text, secret string) {
		once := Text(text)
		require.Equal(t, once, Text(once), "again")

		for _, d := range dsns {
			if d.fits(secret) {
				hidden := Text(d.with(secret))
				require.NotContains(t, hidden, secret, "of %s", d.with(secret))
				require.NotContains(t, hidden, d.escape(secret), "of %s", d.with(secret))
				require.Equal(t, hidden, Text(hidden), "again")
			}
		}

		plain := withoutMarks(text)
		require.Equal(t, plain, Text(plain), "nothing to hide")
	})
}

// withoutMarks takes from a text all that a rule could start from: the marks, and
// letters without which no command is AUTH, no word Bearer and no token of a known
// shape.
func withoutMarks(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(":=@'\"{<-_uUeEzv", r) {
			return '.'
		}
		return r
	}, text)
}
