package connpool

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPermanentKeepsTheErrorsTextAndIdentity(t *testing.T) {
	err := Permanent(fmt.Errorf("password refused: %w", io.EOF))
	require.EqualError(t, err, "password refused: EOF")
	require.ErrorIs(t, err, io.EOF)
	require.True(t, isPermanent(fmt.Errorf("connect: %w", err)))
	require.False(t, isPermanent(io.EOF))
	require.NoError(t, Permanent(nil))
}
