// Package redact blanks the secrets in error texts before a pool prints them.
//
// The errors of a factory are somebody else's: drivers and URL parsers like to
// quote what they were given, and that is a connection string with its password
// in it. A pool repeats such an error in its own, in logs and in statistics, so
// it passes through here first.
//
// Text knows secrets by their surroundings, which rules.go lists one by one. It
// cannot know a bare password in prose. Where a text can be read in two ways it
// takes the one that hides more.
package redact

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mask stands for a secret of any length. It is what net/url prints.
const mask = "xxxxx"

// Text returns s with the secrets in it replaced by "xxxxx", and s itself where
// there are none. Text of its own result changes nothing more. Of a text longer
// than 6 KB the first 4 KB are left.
//
// It is made for error messages, which are short and rare: a microsecond for one
// line in which nothing looks like the name of a secret, 150 with a secret.
func Text(s string) string {
	if len(s) <= longest {
		return hide(s)
	}
	// What is shown is cut from what has been hidden, not the other way round: a
	// secret that the cut went through could not be told.
	return hide(cut(hide(cut(s, longest)), shown) + more)
}

// A match may scan the whole text and be a short one, so time can grow with the
// square of the length. Where that is so, longest bounds it to a tenth of a second.
const (
	longest = 6 << 10
	shown   = 4 << 10
	more    = " ..."
)

// cut returns the beginning of s, whole characters of it.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// hide applies the rules until nothing changes. What one rule hides may complete
// the pattern of another, so that a single pass would leave something for the next
// caller to find. Passes end: each turns other characters into x, or else a run of
// x into one of mask's length.
func hide(s string) string {
	for range mostPasses {
		t := pass(s)
		if t == s {
			return s
		}
		s = t
	}
	return mask // it is made to be passed over and over
}

// mostPasses is far above what people write, which takes three.
const mostPasses = 10

// Error returns the redacted text of err: "" for nil, and just err's type where
// its Error method panics, as that of a nil pointer in an error may.
func Error(err error) (text string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", err)
		}
	}()
	return Text(err.Error())
}

// Line returns the redacted text of err in one line: a text that is not the pool's
// own must not end a line of its log, or begin one.
func Line(err error) string { return oneLine(Error(err)) }

// oneLine replaces each run of characters that are not to be shown, and that a
// terminal or a log viewer acts upon, with a space: control characters (CR, LF, VT,
// FF, NEL, ESC, NUL and the others of C0 and C1), the line and paragraph
// separators of Unicode, and its format characters, among them those that turn the
// direction of a text. A byte that is not UTF-8 may be one of C1 and becomes U+FFFD.
func oneLine(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	})
	return strings.ToValidUTF8(strings.Join(words, " "), "\uFFFD")
}

// pass applies every rule once.
func pass(s string) string {
	lower := strings.ToLower(s) // of what was there: a mask adds no mark
	for _, r := range rules() {
		if r.concerns(lower) {
			s = blank(s, r.Regexp)
		}
	}
	return s
}

// blank replaces what the groups of rule capture in s.
func blank(s string, rule *regexp.Regexp) string {
	var b strings.Builder
	done := 0 // all before is in b
	for _, match := range rule.FindAllStringSubmatchIndex(s, -1) {
		for group := 2; group < len(match); group += 2 { // [0:2] is the whole match
			from, to := match[group], match[group+1]
			if from < to { // it took part, and there is something to hide
				b.WriteString(s[done:from])
				b.WriteString(mask)
				done = to
			}
		}
	}
	b.WriteString(s[done:])
	return b.String()
}
