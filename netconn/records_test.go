package netconn

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordsAreWholeWhereOneEnds(t *testing.T) {
	reply := append([]byte{23, 3, 3, 1, 44}, bytes.Repeat([]byte{23}, 300)...)
	alert := []byte{21, 3, 3, 0, 2, 1, 0}
	stream := slices.Concat(reply, alert)
	for n := range len(stream) + 1 {
		end := n == 0 || n == len(reply) || n == len(stream)
		require.Equal(t, end, wholeRecords(stream[:n]), "the first %d bytes", n)
	}
}

func TestWhatBeginsInTheMiddleOfARecordIsNotWhole(t *testing.T) {
	alert := []byte{21, 3, 3, 0, 2, 1, 0}
	for n := 1; n < len(alert); n++ {
		require.False(t, wholeRecords(alert[n:]), "without the first %d bytes", n)
	}
	require.False(t, wholeRecords([]byte("+OK no TLS at all\r\n")))
}
