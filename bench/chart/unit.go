package chart

import (
	"strconv"
)

// Unit is what a value is measured in.
type Unit int

// The units.
const (
	Nanoseconds Unit = iota
	Bytes
	Plain // a count
)

// step is one size of a unit: from this value on, it is written so.
type step struct {
	from   float64
	symbol string
}

var steps = map[Unit][]step{
	Nanoseconds: {{1e9, " s"}, {1e6, " ms"}, {1e3, " µs"}, {0, " ns"}},
	Bytes:       {{1e9, " GB"}, {1e6, " MB"}, {1e3, " kB"}, {0, " B"}},
	Plain:       {{1e6, "M"}, {0, ""}},
}

// text writes a value with three digits, which is more than the measurements
// are good for, and its unit.
func (u Unit) text(v float64) string {
	for _, s := range steps[u] {
		if v >= s.from && s.from > 0 {
			return digits(v/s.from) + s.symbol
		}
	}
	return u.small(v)
}

// small writes a value below the first step. Whole numbers stay whole.
func (u Unit) small(v float64) string {
	all := steps[u]
	if v == float64(int64(v)) {
		return grouped(strconv.FormatInt(int64(v), 10)) + all[len(all)-1].symbol
	}
	return digits(v) + all[len(all)-1].symbol
}

func digits(v float64) string {
	switch {
	case v >= 99.95:
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	case v >= 9.995:
		return trim(strconv.FormatFloat(v, 'f', 1, 64))
	case v >= 0.01:
		return trim(strconv.FormatFloat(v, 'f', 2, 64))
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// trim drops the zeros at the end of a fraction, and the point before them.
func trim(s string) string {
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

// grouped sets a comma before each three digits of a whole number.
func grouped(s string) string {
	if len(s) <= 3 {
		return s
	}
	return grouped(s[:len(s)-3]) + "," + s[len(s)-3:]
}
