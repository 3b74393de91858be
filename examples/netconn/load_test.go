package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnlyWhatTheOutageTouchedWasUnderWay(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	down := outage{began: at(10), complete: at(20)}
	for _, tc := range []struct {
		name string
		request
		underWay bool
	}{
		{"before", request{vouched: at(8), ended: at(9)}, false},
		{"into it", request{vouched: at(8), ended: at(12)}, true},
		{"within it", request{vouched: at(12), ended: at(13)}, true},
		{"right through it", request{vouched: at(8), ended: at(30)}, true},
		{"lent once all had been told", request{vouched: at(20), ended: at(21)}, false},
		{"never lent a connection", request{ended: at(12)}, false},
	} {
		require.Equal(t, tc.underWay, tc.request.underWay(down), tc.name)
	}
	require.False(t, request{vouched: at(8), ended: at(12)}.underWay(outage{}), "the server never went down")
}
