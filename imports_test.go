package connpool_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const (
	ourModule = "github.com/connpool/connpool"
	pgxModule = "github.com/jackc/pgx/v5"
)

// Who may import what, beside the standard library. The rooms of the house do
// not know each other, the pool brings its users no dependency, and an adapter
// brings those of its driver. One room is open to the others: explore, which is
// empty but for other names of the standard library's types (unless a test run
// asks for more), so that nobody shares anything through it. Files for other
// systems count, tests do not: they may import what they need.
func TestImportsKeepToTheRules(t *testing.T) {
	imports := importsBelow(t, os.DirFS("."))
	for _, file := range []string{"pool.go", "internal/slot/slot.go", "internal/pgtest/doc.go"} {
		require.Contains(t, imports, file, "the walk has been there")
	}
	require.Empty(t, forbidden(imports))
}

// What the root package brings along counts too: nothing but itself and the
// standard library's own packages, so not those either that the standard library
// has from elsewhere, as package net does.
func TestTheRootPackageBringsNothingAlong(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	require.NoError(t, err, string(out))
	deps := strings.Fields(string(out))
	require.Contains(t, deps, ourModule)
	for _, dep := range deps {
		first, _, _ := strings.Cut(dep, "/")
		foreign := first == "vendor" || strings.Contains(first, ".")
		require.True(t, !foreign || dep == ourModule || strings.HasPrefix(dep, ourModule+"/internal/"), dep)
	}
}

// importsBelow returns what the non-test files of a module import, by file.
// Nested modules are left out: they are to keep their dependencies to themselves.
func importsBelow(t *testing.T, tree fs.FS) map[string][]string {
	imports := map[string][]string{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skipped(tree, name)
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		imports[name], err = importsOf(tree, name)
		return err
	})
	require.NoError(t, err)
	return imports
}

// skipped returns fs.SkipDir for a folder that is no part of the module.
func skipped(tree fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(tree, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func importsOf(tree fs.FS, name string) (imports []string, err error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		imports = append(imports, imported)
	}
	return imports, nil
}

// forbidden returns a line for each import that breaks a rule, sorted.
func forbidden(imports map[string][]string) (faults []string) {
	for file, imported := range imports {
		for _, name := range imported {
			if !mayImport(path.Dir(file), name) {
				faults = append(faults, fmt.Sprintf("%s must not import %q", file, name))
			}
		}
	}
	slices.Sort(faults)
	return faults
}

func mayImport(dir, imported string) bool {
	if standard(imported) {
		return dir == "connpooltest" || !atOrBelow(imported, "testing") // it would add its flags to the user's
	}
	switch {
	case dir == ".":
		return atOrBelow(imported, ourModule+"/internal") && !startsServers(imported)
	case atOrBelow(dir, "internal"):
		return imported == ourModule+"/internal/explore" && !startsServers(path.Join(ourModule, dir))
	case atOrBelow(dir, "examples"):
		return atOrBelow(imported, ourModule) && !atOrBelow(imported, ourModule+"/internal") ||
			startsServers(imported) || atOrBelow(imported, pgxModule)
	}
	// An adapter. Others' errors it prints as the pool does. That of a protocol stands
	// on netconn, which knows sockets.
	return imported == ourModule || imported == ourModule+"/internal/redact" || atOrBelow(imported, pgxModule) || dir == "pgxconn" && imported == ourModule+"/netconn"
}

// startsServers reports whether a package starts servers for tests and examples.
func startsServers(imported string) bool {
	return atOrBelow(imported, ourModule+"/internal/pgtest") || atOrBelow(imported, ourModule+"/internal/servertest")
}

// standard reports whether a package is of the standard library: what one can
// download begins with a host's name.
func standard(imported string) bool {
	host, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(host, ".") && imported != "C"
}

// atOrBelow reports whether a package or folder is root or lies below it.
func atOrBelow(name, root string) bool {
	return name == root || strings.HasPrefix(name, root+"/")
}

func TestAForbiddenImportIsReportedWithItsFile(t *testing.T) {
	for _, c := range []struct{ file, imported string }{
		{"pool.go", pgxModule},
		{"pool.go", "golang.org/x/sync/errgroup"},
		{"pool.go", "testing"},
		{"pool.go", "testing/synctest"},
		{"pool.go", "C"},
		{"pool.go", ourModule + "/pgxconn"},
		{"pool.go", ourModule + "/internal/pgtest"},
		{"pool_windows.go", "golang.org/x/sys/windows"},
		{"internal/slot/slot.go", ourModule},
		{"internal/slot/slot.go", ourModule + "/internal/idle"},
		{"internal/slot/slot.go", "github.com/stretchr/testify/require"},
		{"internal/explore/off.go", ourModule + "/internal/slot"},
		{"internal/explore/run.go", "testing"},
		{"internal/pgtest/server.go", ourModule + "/internal/explore"},
		{"internal/servertest/server.go", ourModule + "/internal/pgtest"},
		{"internal/servertest/server.go", ourModule + "/internal/explore"},
		{"pool.go", ourModule + "/internal/servertest"},
		{"netconn/conn.go", ourModule + "/internal/explore"},
		{"internal/pgtest/deep/down.go", pgxModule},
		{"internal/pgtest/testing.go", "testing"},
		{"connpooltest/trial.go", "github.com/stretchr/testify/require"},
		{"netconn/conn.go", ourModule + "/internal/slot"},
		{"netconn/conn.go", ourModule + "/keyed"},
		{"keyed/pool.go", ourModule + "/netconn"},
		{"pgxconn/pool.go", ourModule + "/sqlconn"},
		{"pgxconn/conn.go", "github.com/jackc/pgx/v4"},
		{"pgxconn/conn.go", "github.com/jackc/pgx/v5x"},
		{"examples/pgx/main.go", ourModule + "/internal/slot"},
		{"examples/pgx/main.go", "github.com/stretchr/testify/require"},
	} {
		tree := fstest.MapFS{
			c.file: {Data: fmt.Appendf(nil, "package p\n\nimport (\n\t\"fmt\"\n\tname %q\n)\n", c.imported)},
		}
		want := fmt.Sprintf("%s must not import %q", c.file, c.imported)
		require.Equal(t, []string{want}, forbidden(importsBelow(t, tree)))
	}
}

func TestAnAllowedImportIsNotReported(t *testing.T) {
	for _, c := range []struct{ file, imported string }{
		{"pool.go", "unsafe"},
		{"pool.go", "math/rand/v2"},
		{"pool.go", ourModule + "/internal/slot"},
		{"pool_test.go", "github.com/stretchr/testify/require"},
		{"internal/idle/here.go", "unsafe"},
		{"internal/idle/idle.go", ourModule + "/internal/explore"},
		{"internal/idle/idle_test.go", "testing"},
		{"netconn/conn.go", ourModule},
		{"keyed/making.go", ourModule + "/internal/redact"},
		{"connpooltest/trial.go", "testing"},
		{"pgxconn/conn.go", pgxModule + "/pgconn"},
		{"pgxconn/session.go", ourModule + "/netconn"},
		{"sqlconn/conn.go", "database/sql/driver"},
		{"examples/pgx/main.go", ourModule + "/internal/pgtest"},
		{"examples/redis/main.go", ourModule + "/internal/servertest"},
		{"examples/netconn/main.go", ourModule + "/examples/internal/tcpserver"},
		{"testdata/x.go", "github.com/stretchr/testify/require"},
		{".cache/x.go", "github.com/stretchr/testify/require"},
		{"bench/bench.go", "github.com/jackc/puddle/v2"},
	} {
		tree := fstest.MapFS{
			c.file:         {Data: fmt.Appendf(nil, "package p\n\nimport %q\n", c.imported)},
			"bench/go.mod": {Data: []byte("module bench\n")},
		}
		require.Empty(t, forbidden(importsBelow(t, tree)))
	}
}
