package idle

import "unsafe"

// here returns a number that tends to differ between goroutines that run at the
// same time and to stay the same for one goroutine: a hash of where its stack
// lies, and of a salt, whose upper bits are the better ones. It only picks the
// cell to try first; any answer is right. Go has no cheaper name for "this
// goroutine": a random number costs more and sends every borrower to every cell.
//
// The salt goes in by exclusive or: added, it would move all goroutines alike.
func here(salt uint32) uint32 {
	var local byte
	const stackAlign = 11 // stacks are at least 2 KiB, and aligned to it
	const golden = 0x9E3779B1
	return (uint32(uintptr(unsafe.Pointer(&local))>>stackAlign) ^ salt*golden) * golden
}
