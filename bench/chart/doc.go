// Package chart draws what the benchmarks found, as SVG.
//
// Each chart is a value that holds its data: Bars, Quantiles, Spike and Growth.
// SVG turns it into a file's bytes, and the same data into the same bytes. Data
// that cannot be drawn (nothing, or zero on a logarithmic scale) are an error.
//
// Most scales are logarithmic, since rivals differ by factors of a hundred. Such
// a scale has no zero: the axis starts at a power of ten and says what it is, and
// every bar has its value printed beside it.
//
// All charts have a white background of their own, to be read on a light page and
// on a dark one. The pool that the benchmarks are about has the accent colour,
// and the floors, which no pool can beat, are pale.
package chart
