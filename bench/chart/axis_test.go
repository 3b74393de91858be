package chart

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestABarStartsAtAPowerOfTenBelowIt(t *testing.T) {
	for least, start := range map[float64]float64{17: 10, 15: 10, 14: 1, 10: 1, 1: 0.1, 1000: 100, 999: 100, 0.2: 0.1} {
		assert.InEpsilon(t, start, below(least), 1e-9, "%v", least)
	}
}

func TestTextFitsBesideTheValues(t *testing.T) {
	least := roomLeft(10, span{10, 1000}, 0.2)
	assert.InEpsilon(t, 1.0, least, 1e-9)
	most := roomRight(least, 1000, 0.25)
	assert.InEpsilon(t, 10000.0, most, 1e-9)
}

func TestDecadesAreLabelledAsFarAsTheyFit(t *testing.T) {
	assert.Equal(t, []string{"1 ns", "10 ns", "100 ns", "1 µs"}, labels(1, 1000, 4))
	assert.Equal(t, []string{"1 ns", " ", "100 ns", " "}, labels(1, 1000, 3))
	assert.Equal(t, []string{"1 ns"}, labels(1, 9, 3))
}

func labels(least, most float64, room int) []string {
	var labels []string
	for _, t := range decades(least, most, Nanoseconds, room) {
		if !t.IsMinor() {
			labels = append(labels, t.Label)
		}
	}
	return labels
}

func TestValuesAreWrittenWithThreeDigits(t *testing.T) {
	for _, c := range []struct {
		unit Unit
		v    float64
		text string
	}{
		{Nanoseconds, 5.612, "5.61 ns"},
		{Nanoseconds, 17.64, "17.6 ns"},
		{Nanoseconds, 20, "20 ns"},
		{Nanoseconds, 137.4, "137 ns"},
		{Nanoseconds, 1380, "1.38 µs"},
		{Nanoseconds, 16.66e6, "16.7 ms"},
		{Nanoseconds, 2e9, "2 s"},
		{Nanoseconds, 0.0001, "0.0001 ns"},
		{Bytes, 622, "622 B"},
		{Bytes, 31100, "31.1 kB"},
		{Plain, 44, "44"},
		{Plain, 29144, "29,144"},
		{Plain, 999999, "999,999"},
		{Plain, 1234567, "1.23M"},
	} {
		assert.Equal(t, c.text, c.unit.text(c.v))
	}
}
