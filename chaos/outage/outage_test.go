package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/pgtest"
)

func TestACrashCostsOnlyTheQueriesThatWereUnderWay(t *testing.T) { requireKept(t, "crash") }

func TestAFailoverCostsNothingAndNobodyGetsTheOldServer(t *testing.T) { requireKept(t, "failover") }

// requireKept plays the quick version of a scenario. Of what takes time it
// requires nothing: a busy machine may take longer than the pool.
func requireKept(t *testing.T, name string) {
	pgtest.New(t, pgtest.Options{}) // skips where there is no PostgreSQL
	for _, s := range scenarios(true) {
		if s.name != name {
			continue
		}
		o, err := s.compare(t.Context(), io.Discard)
		require.NoError(t, err)
		t.Log(o.table())
		for _, r := range o.requirements() {
			require.True(t, r.timed || r.met[0], "%s: required %s, seen %s (%v)", r.what, r.required, r.seen[0], o.example())
		}
		requireDrawn(t, o)
		return
	}
	t.Fatal("no such scenario")
}

// requireDrawn checks that the chart is XML and names both pools.
func requireDrawn(t *testing.T, o outcome) {
	path := filepath.Join(t.TempDir(), "chart.svg")
	require.NoError(t, o.draw(path))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var text []string
	for d := xml.NewDecoder(file); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if data, ok := token.(xml.CharData); ok {
			text = append(text, string(data))
		}
	}
	require.Contains(t, text, "this pool")
	require.Contains(t, text, "pgxpool")
	require.Contains(t, text, "seconds")
}
