package pgtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// emptyCache gives the test, and the processes it starts, a cache of their own.
func emptyCache(t *testing.T) (cache string) {
	t.Helper()
	needServer(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	cache, err := cacheFolder()
	require.NoError(t, err)
	require.Contains(t, cache, home)
	return cache
}

func templates(t *testing.T, cache string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cache, "template-*[0-9a-f]"))
	require.NoError(t, err)
	return found
}

func TestProcessesThatStartAtOnceShareOneTemplate(t *testing.T) {
	cache := emptyCache(t)
	outputs := make(chan string)
	const processes = 4
	for range processes {
		child := childProcess(t, "once")
		go func() {
			output, err := child.Output()
			outputs <- string(output)
			if err != nil {
				t.Error(err)
			}
		}()
	}
	for range processes {
		require.Equal(t, "<nil>\n", <-outputs, "what Stop returned")
	}
	require.Len(t, templates(t, cache), 1)
}

func TestATemplateIsBuiltOnce(t *testing.T) {
	cache := emptyCache(t)
	require.NoError(t, New(t, Options{}).Stop())
	built := templates(t, cache)
	require.Len(t, built, 1)
	first, err := os.Stat(built[0])
	require.NoError(t, err)
	require.NoError(t, New(t, Options{}).Stop())
	again, err := os.Stat(built[0])
	require.NoError(t, err)
	require.True(t, os.SameFile(first, again))
	require.Equal(t, first.ModTime(), again.ModTime())
}

func TestAHalfBuiltTemplateIsBuiltAnew(t *testing.T) {
	cache := emptyCache(t)
	require.NoError(t, New(t, Options{}).Stop())
	whole := templates(t, cache)[0]
	require.NoError(t, os.Rename(whole, whole+".half"))
	require.NoError(t, os.RemoveAll(filepath.Join(whole+".half", clusterFolder, "global")))
	server := New(t, Options{})
	require.True(t, ask[bool](t, server, "select true"))
}

func TestATemplateOthersCanWriteIsRefused(t *testing.T) {
	t.Parallel()
	planted := template{t.TempDir()}
	require.NoError(t, os.Chmod(planted.path, 0o777))
	_, err := planted.exists()
	require.ErrorContains(t, err, "only we can write; remove it")
}

func TestATemplateOfSomebodyElseIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	t.Parallel()
	planted := template{t.TempDir()}
	require.NoError(t, os.Chmod(planted.path, 0o700))
	exists, err := planted.exists()
	require.NoError(t, err)
	require.True(t, exists, "as long as it is ours")
	require.NoError(t, os.Chown(planted.path, os.Geteuid()+1, -1))
	_, err = planted.exists()
	require.ErrorContains(t, err, "is not a folder that we own")
}

func TestATemplateBehindALinkIsRefused(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(t.TempDir(), link))
	_, err := template{link}.exists()
	require.ErrorContains(t, err, "is not a folder that we own")
}

func TestWithoutACacheTheTemporaryFolderIsUsed(t *testing.T) {
	temporary := t.TempDir()
	blocker := filepath.Join(temporary, "blocker")
	require.NoError(t, os.WriteFile(blocker, nil, 0o600))
	t.Setenv("TMPDIR", temporary)
	for _, unusable := range []string{"", blocker} {
		t.Setenv("HOME", unusable)
		t.Setenv("XDG_CACHE_HOME", unusable)
		cache, err := cacheFolder()
		require.NoError(t, err)
		require.Equal(t, temporary, filepath.Dir(cache))
	}
}

func TestALongTemporaryFolderIsNoHomeForASocket(t *testing.T) {
	long := filepath.Join(t.TempDir(), "a-name-of-more-than-sixty-bytes-which-leaves-no-room-for-the-socket")
	require.NoError(t, os.Mkdir(long, 0o777))
	t.Setenv("TMPDIR", long)
	server := New(t, Options{})
	require.Equal(t, "/tmp", filepath.Dir(server.folder.path))
	var yes bool
	require.NoError(t, connect(t, server.SocketDSN()).QueryRow(patient(t), "select true").Scan(&yes))
	require.True(t, yes)
}
