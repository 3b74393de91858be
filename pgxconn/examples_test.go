package pgxconn_test

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Examples that need a server have no Output comment: they could not be skipped.
func TestTheExamplesPrintWhatTheySay(t *testing.T) {
	t.Setenv("DATABASE_URL", start(t, nil).DSN())
	for _, example := range []struct {
		run  func()
		want string
	}{
		{ExampleNew, "hello world\n"},
		{ExampleParseConfig, "16 orders\n"},
		{ExamplePoolConfig, "3 <nil>\n"},
		{ExampleDiscardAll, "orders\n"},
		{ExamplePool_AcquireFunc, "true <nil>\n"},
		{ExamplePool_Begin, "[1 2 3] <nil>\n"},
		{ExamplePool_Stat, "1 in use\n1 opened, 0 leaks\n"},
		{ExampleAcquireTracer, "Connect\nAcquire\nQuery\nRelease\n"},
	} {
		require.Equal(t, example.want, printed(t, example.run))
	}
}

// printed returns what a function prints.
func printed(t *testing.T, f func()) string {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	stdout := os.Stdout
	os.Stdout = write
	defer func() { os.Stdout = stdout }()
	f()
	require.NoError(t, write.Close())
	text, err := io.ReadAll(read)
	require.NoError(t, err)
	return string(text)
}
