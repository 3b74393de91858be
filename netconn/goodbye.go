package netconn

import "bytes"

// longestLine is how much of a line is kept to compare it with goodbyes that are
// no longer.
const longestLine = 256

// line is the line that is under way in one direction, from its first byte.
type line struct{ begun []byte }

// says takes what has been written or read and reports whether a line of it is, or
// begins with, one of the goodbyes.
func (l *line) says(b []byte, goodbyes []string) bool {
	if len(goodbyes) == 0 {
		return false
	}
	for {
		text, rest, whole := bytes.Cut(b, []byte("\n"))
		l.begun = append(l.begun, text[:min(len(text), longestLine-len(l.begun))]...)
		if !whole {
			return false
		}
		if isGoodbye(bytes.TrimSpace(l.begun), goodbyes) {
			return true
		}
		l.begun, b = l.begun[:0], rest
	}
}

// isGoodbye compares without regard to case. A goodbye ends where the line does,
// or before a space.
func isGoodbye(line []byte, goodbyes []string) bool {
	for _, goodbye := range goodbyes {
		n := len(goodbye)
		if n > 0 && len(line) >= n && bytes.EqualFold(line[:n], []byte(goodbye)) &&
			(len(line) == n || line[n] == ' ') {
			return true
		}
	}
	return false
}
