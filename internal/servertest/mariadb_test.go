package servertest

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMariaDBGreetsAlsoThroughHAProxyAndAfterAKill(t *testing.T) {
	m := NewMariaDB(t, map[string]string{"max-connections": "20"})
	proxy := NewHAProxy(t, m.Addr(), time.Minute)
	for range 2 {
		require.Contains(t, greeting(t, m.Addr()), "MariaDB")
		require.Contains(t, greeting(t, proxy.Addr()), "MariaDB")
		require.NoError(t, m.Restart(t.Context()))
	}
}

// greeting returns the first words of a MySQL server.
func greeting(t *testing.T, addr string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	words := make([]byte, 40)
	_, err = io.ReadFull(conn, words)
	require.NoError(t, err)
	return string(words)
}
