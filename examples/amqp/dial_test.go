package main

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWriteThatNobodyReadsIsGivenUp(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	_, err := impatient{ours, time.Millisecond}.Write([]byte("hello"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
