//go:build !race

package row

const weighedDown = false
