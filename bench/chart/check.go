package chart

import (
	"errors"
	"fmt"
	"math"
	"unicode"
	"unicode/utf8"
)

// What a logarithmic scale takes. Beyond lies no measurement, but a mistake in
// one, and an axis of hundreds of decades.
const (
	leastLog = 1e-9
	mostLog  = 1e18
)

var (
	errEmpty  = errors.New("nothing to draw")
	errNoRoom = errors.New("too many panels to stand side by side")
)

// checkLog says why a value cannot stand on a logarithmic scale.
func checkLog(of string, v float64) error {
	if !(v >= leastLog && v <= mostLog) { // NaN is neither
		return fmt.Errorf("%q: %v cannot be drawn on a logarithmic scale", of, v)
	}
	return nil
}

// checkLinear says why a value cannot stand on a scale that starts at zero.
func checkLinear(of string, v float64) error {
	if !(v >= 0 && v <= mostLog) {
		return fmt.Errorf("%q: %v cannot be drawn", of, v)
	}
	return nil
}

// longestName leaves room for data beside it.
const longestName = 40

// checkName refuses what would make the file something else than XML, and
// names that a reader could not see or that would push the data aside.
func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > longestName {
		return fmt.Errorf("the name of a rival, %q, has %d letters", name, n)
	}
	return checkText(name)
}

func checkText(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%q is not UTF-8", text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%q contains %U", text, r)
		}
	}
	return nil
}

// span is the range of the values seen.
type span struct{ least, most float64 }

var noSpan = span{math.Inf(1), math.Inf(-1)}

func (s span) with(values ...float64) span {
	for _, v := range values {
		s.least, s.most = min(s.least, v), max(s.most, v)
	}
	return s
}

func checkTexts(texts ...string) error {
	for _, t := range texts {
		if err := checkText(t); err != nil {
			return err
		}
	}
	return nil
}
