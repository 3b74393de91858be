package netconn

import "encoding/binary"

// A TLS record is a header, which is never encrypted (type, version, length), and
// at most so many bytes.
const (
	recordHeader  = 5
	largestRecord = recordHeader + 1<<14 + 2048

	firstRecordType, lastRecordType = 20, 24
	recordVersion                   = 3 // of SSL 3 and all that came after
)

// wholeRecords reports whether the bytes begin where a TLS record begins, and end
// where one ends.
func wholeRecords(b []byte) bool {
	for len(b) > 0 {
		if len(b) < recordHeader || b[0] < firstRecordType || b[0] > lastRecordType || b[1] != recordVersion {
			return false
		}
		n := recordHeader + int(binary.BigEndian.Uint16(b[3:]))
		if n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}
