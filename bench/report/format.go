package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/connpool/connpool/bench/run"
	"github.com/connpool/connpool/bench/work"
)

// format writes a value with its unit, to three digits.
func format(v float64, unit work.Unit) string {
	switch unit {
	case work.Duration:
		return scaled(v, 1000, " ns", " µs", " ms", " s")
	case work.Bytes:
		return scaled(v, 1024, " B", " KB", " MB")
	case work.PerSecond:
		return number(v)
	case work.Ratio:
		return number(v) + " x"
	case work.Percent:
		return number(v) + " %"
	}
	return number(v)
}

// scaled divides by step until the value is below it, and takes the unit that
// belongs to that.
func scaled(v, step float64, units ...string) string {
	for _, unit := range units[:len(units)-1] {
		if math.Abs(v) < step-0.5 {
			return number(v) + unit
		}
		v /= step
	}
	return number(v) + units[len(units)-1]
}

// number writes three digits at least, all of those before the point, and
// groups thousands.
func number(v float64) string {
	decimals := 0
	switch a := math.Abs(v); {
	case a < 0.005, a >= 99.95, v == math.Trunc(v):
	case a < 9.995:
		decimals = 2
	default:
		decimals = 1
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	switch {
	case text == "-0":
		return "0"
	case decimals == 0:
		return group(text)
	}
	return text
}

// group puts commas between the thousands of a whole number.
func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// withSpread writes the median and, unless it is negligible, the spread.
func withSpread(s run.Summary, unit work.Unit) string {
	text := format(s.Median, unit)
	if number(s.Median) == "0" {
		return text // a share of next to nothing says nothing
	}
	if percent := math.Round(100 * s.Spread()); percent >= 1 {
		text += " ±" + number(percent) + " %"
	}
	return text
}
