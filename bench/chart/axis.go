package chart

import (
	"math"

	"gonum.org/v1/plot"
)

// logarithmic makes an axis of decades, from a power of ten, with room for so
// many labels.
func logarithmic(a *plot.Axis, least, most float64, u Unit, labels int) {
	a.Min, a.Max = least, most
	a.Scale = plot.LogScale{}
	a.Tick.Marker = plot.ConstantTicks(decades(least, most, u, labels))
}

// below is the power of ten at which an axis starts: so far below the least
// value that its bar can be seen.
func below(least float64) float64 {
	p := floorPower(least)
	if least < 1.5*p {
		return p / 10
	}
	return p
}

// floorPower is the power of ten that is v or just below it. The logarithm alone
// may be off by the last digit.
func floorPower(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for p > v {
		p /= 10
	}
	return p
}

// decades are the ticks of a logarithmic axis: labelled at powers of ten, at
// every other or third one if there are too many, and bare between, if there are
// few.
func decades(least, most float64, u Unit, labels int) []plot.Tick {
	var ticks []plot.Tick
	n := 1 + int(math.Log10(most/least)+1e-9)
	every := 1 + (n-1)/max(labels, 1)
	for i := range n {
		p := clean(least * math.Pow(10, float64(i)))
		label := unlabelled
		if i%every == 0 {
			label = u.text(p)
		}
		ticks = append(ticks, plot.Tick{Value: p, Label: label})
		if every == 1 {
			ticks = append(ticks, between(p, most)...)
		}
	}
	return ticks
}

// unlabelled keeps a tick a major one, with its line in the grid.
const unlabelled = " "

func between(p, most float64) []plot.Tick {
	var ticks []plot.Tick
	for i := 2.0; i <= 9 && p*i <= most; i++ {
		ticks = append(ticks, plot.Tick{Value: p * i})
	}
	return ticks
}

// clean rounds a product of powers of ten to the power that it is meant to be.
func clean(p float64) float64 {
	return math.Pow(10, math.Round(math.Log10(p)))
}

// linear makes an axis from zero with a few round ticks.
func linear(a *plot.Axis, most float64) {
	size := roundStep(most / 4)
	a.Min, a.Max = 0, most
	var ticks []plot.Tick
	for i := 0; float64(i)*size <= most; i++ {
		v := float64(i) * size
		ticks = append(ticks, plot.Tick{Value: v, Label: Plain.text(v)})
	}
	a.Tick.Marker = plot.ConstantTicks(ticks)
}

// roundStep is 1, 2 or 5 times a power of ten, at least v.
func roundStep(v float64) float64 {
	p := floorPower(v)
	for _, times := range []float64{1, 2, 5} {
		if times*p >= v {
			return times * p
		}
	}
	return 10 * p
}

// roomRight is where a logarithmic axis must end so that a share of its length is
// left beyond the greatest value, for the value's text.
func roomRight(least, most, share float64) float64 {
	return least * math.Pow(most/least, 1/(1-min(share, 0.5)))
}

// roomLeft lowers an axis's start, decade by decade, until a share of its length
// lies before the least value.
func roomLeft(least float64, data span, share float64) float64 {
	for range 3 {
		whole := math.Log(roomRight(least, data.most, share) / least)
		if math.Log(data.least/least) >= min(share, 0.5)*whole {
			break
		}
		least /= 10
	}
	return least
}
