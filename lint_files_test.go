package connpool

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ofFiles returns what Lint says about a limit of open files.
func ofFiles(c Config[*fakeConn], limit uint64) []string {
	c.fillCounts()
	if r := c.fileRule(limit); r.broken {
		return []string{r.Problem + ": " + r.Fix}
	}
	return nil
}

func TestLintComparesWhatMayBeOpenWithTheLimitOfOpenFiles(t *testing.T) {
	c := sound()
	require.Empty(t, ofFiles(c, 13), "10 of 13, the default MaxSize")
	require.Len(t, ofFiles(c, 12), 1, "10 of 12")

	c.MaxSize = 768
	require.Empty(t, ofFiles(c, 1024), "a quarter is left")
	c.MaxSize = 769
	said := ofFiles(c, 1024)
	require.Len(t, said, 1)
	require.Contains(t, said[0], "769 connections may be open, of the 1024 files")
	require.Contains(t, said[0], "ulimit -n")

	c.Budget = NewBudget(700)
	require.Empty(t, ofFiles(c, 1024), "the Budget allows no more")
	c.Budget = NewBudget(800)
	require.Len(t, ofFiles(c, 1024), 1)
}

func TestLintSaysNothingOfFilesWhereThereIsNoLimit(t *testing.T) {
	c := sound()
	c.MaxSize = LargestMaxSize
	require.Empty(t, ofFiles(c, math.MaxUint64))
	require.Empty(t, ofFiles(c, math.MaxInt64), "as some systems say it")
}

func TestLintOfFilesTakesWhatNewRefuses(t *testing.T) {
	c := everythingWrong()
	require.Empty(t, ofFiles(c, 0), "less than none may be open")
	require.Len(t, about(c.Lint(), "MaxSize"), 1)
}

func TestLintAsksForTheProcesssLimit(t *testing.T) {
	c := sound()
	c.MaxSize = LargestMaxSize
	said := strings.Join(about(c.Lint(), "MaxSize"), "\n")
	if fileLimit() < LargestMaxSize {
		require.Contains(t, said, "RLIMIT_NOFILE")
	} else {
		require.NotContains(t, said, "RLIMIT_NOFILE")
	}
}
