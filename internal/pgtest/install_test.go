package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAMissingServerIsAnErrorThatSaysWhatToInstall(t *testing.T) {
	nowhere := t.TempDir()
	t.Setenv(binEnv, nowhere)
	_, err := Start(t.Context(), Options{})
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "apt-get install postgresql")
	require.ErrorContains(t, err, binEnv)
	require.ErrorContains(t, err, nowhere)
}

func TestAMissingServerSkipsTheTest(t *testing.T) {
	t.Setenv(binEnv, t.TempDir())
	t.Setenv("CI", "")
	tb := &recorder{}
	require.Nil(t, New(tb, Options{}))
	require.Contains(t, tb.skipped, "apt-get install postgresql")
	require.Empty(t, tb.failed)
}

func TestAMissingServerFailsTheTestInCI(t *testing.T) {
	t.Setenv(binEnv, t.TempDir())
	t.Setenv("CI", "true")
	tb := &recorder{}
	require.Nil(t, New(tb, Options{}))
	require.Contains(t, tb.failed, "apt-get install postgresql")
	require.Empty(t, tb.skipped)
}

func TestAnUnknownSystemSkipsEvenInCI(t *testing.T) {
	t.Setenv("CI", "true")
	require.True(t, maySkip(fmt.Errorf("wrapped: %w", errors.ErrUnsupported)))
	require.False(t, maySkip(errors.New("anything else")))
}

func TestNewStopsTheServerWithTheTest(t *testing.T) {
	t.Parallel()
	needServer(t)
	tb := &recorder{}
	server := New(tb, Options{})
	require.NotNil(t, server)
	for _, cleanup := range tb.cleanups {
		cleanup()
	}
	requireDown(t, server)
	require.Empty(t, tb.failed)
}

// A recorder is a TB that notes what is asked of it. Unlike a test it goes on
// after Skipf and Fatalf.
type recorder struct {
	skipped, failed string
	cleanups        []func()
}

func (*recorder) Helper()                             {}
func (r *recorder) Skipf(format string, args ...any)  { r.skipped += fmt.Sprintf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.failed += fmt.Sprintf(format, args...) }
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }

func TestTheEnvironmentVariableWinsOverEverythingElse(t *testing.T) {
	t.Setenv(binEnv, "relative")
	here, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(here, "relative")}, binFolders())
}

func TestThePathIsSearchedFirstOtherwise(t *testing.T) {
	t.Setenv(binEnv, "")
	folder := t.TempDir()
	t.Setenv("PATH", folder)
	require.Equal(t, folder, binFolders()[0])
}

func TestAFolderNeedsBothPrograms(t *testing.T) {
	t.Parallel()
	half, whole := t.TempDir(), t.TempDir()
	program := func(folder, name string, mode os.FileMode) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, executable(name)), nil, mode))
	}
	program(half, "initdb", 0o755)
	program(half, "postgres", 0o644) // not executable
	program(whole, "initdb", 0o755)
	program(whole, "postgres", 0o755)
	found, err := findInstall([]string{half, whole})
	require.NoError(t, err)
	require.Equal(t, whole, found.bin)
}

func TestTheNewestVersionComesFirst(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		[]string{"/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/bin"},
		newestFirst([]string{"/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/bin", "/usr/lib/postgresql/16/bin"}))
}
