package main

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// go-redis keeps the time of day in a variable, updated by one goroutine for ever.
		goleak.IgnoreTopFunction("github.com/redis/go-redis/v9/internal/pool.startGlobalTimeCache.func1"))
}

func TestAQuickRunDoesNotOverwriteTheResults(t *testing.T) {
	for _, c := range []struct {
		out   string
		quick bool
		want  string
	}{
		{"", false, "RESULTS.md"},
		{"", true, "quick/RESULTS.md"},
		{"x/y.md", true, "x/y.md"},
	} {
		if got := target(c.out, c.quick); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
