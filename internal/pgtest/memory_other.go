//go:build !linux

package pgtest

// memoryFolder exists on Linux alone.
const memoryFolder = ""

func hasRoom(string) bool { return false }
