package connpool_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/goarch"
)

// faultRows is how many scenarios the pool has to survive. A test that stands for
// one carries its number in its name, as TestFault04_... does.
const faultRows = 52

// lastRow is the last of those that are being added.
const lastRow = 116

// Tests of nested modules count: some faults need a server, or a tool that the
// module is not to depend on. Whether they pass is for their own runs to say.
func TestEveryFaultHasATest(t *testing.T) {
	tests, err := faultTests(os.DirFS("."))
	require.NoError(t, err)
	require.NotEmpty(t, tests[1], "the walk has been there")
	require.Empty(t, missing(tests))
	for row := range tests {
		require.True(t, row >= 1 && row <= lastRow, "row %d does not exist: %v", row, tests[row])
	}
}

func TestAFaultWithoutATestIsReported(t *testing.T) {
	tree := fstest.MapFS{
		"a_test.go":          {Data: []byte("func TestFault01_A(t *testing.T) {}\nfunc TestFault02_B(t *testing.T) {}\n")},
		"chaos/b_test.go":    {Data: []byte("func TestFault03_C(t *testing.T) {}\n")},
		"c.go":               {Data: []byte("func TestFault04_NotATestFile(t *testing.T) {}\n")},
		"d_test.go":          {Data: []byte("// func TestFault05_InAComment(t *testing.T) {}\n")},
		"testdata/e_test.go": {Data: []byte("func TestFault06_NeverRun(t *testing.T) {}\n")},
		".old/f_test.go":     {Data: []byte("func TestFault07_NeverRun(t *testing.T) {}\n")},
	}
	tests, err := faultTests(tree)
	require.NoError(t, err)
	require.Equal(t, []string{"chaos/b_test.go: TestFault03_C"}, tests[3])
	gaps := missing(tests)
	require.Len(t, gaps, faultRows-3)
	require.Equal(t, 4, gaps[0])
}

var faultTest = regexp.MustCompile(`(?m)^func (TestFault(\d\d\d?)_\w+)\(`)

// faultTests returns the tests below tree that stand for a row, by row.
func faultTests(tree fs.FS) (map[int][]string, error) {
	tests := map[int][]string{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		for _, match := range faultTest.FindAllSubmatch(source, -1) {
			row, _ := strconv.Atoi(string(match[2])) // two digits
			tests[row] = append(tests[row], fmt.Sprintf("%s: %s", path.Clean(name), match[1]))
		}
		return err
	})
	return tests, err
}

func missing(tests map[int][]string) (rows []int) {
	for row := 1; row <= faultRows; row++ {
		if len(tests[row]) == 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// On 32 bits an unaligned 64-bit atomic panics, and an int is no length of
// everything. Both are built and vetted, tests included; what can be run here is
// run.
func TestFault51_OtherProcessorsBuildAndPass(t *testing.T) {
	if testing.Short() {
		t.Skip("builds everything twice")
	}
	for _, arch := range []string{"386", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			goFor(t, arch, "build", "./...")
			goFor(t, arch, "vet", "./...")
		})
	}
	t.Run("386, run", func(t *testing.T) {
		if err := goarch.Runs("386"); err != nil {
			t.Skip(err)
		}
		goFor(t, "386", "test", "-short", "-timeout=5m",
			"./internal/slot", "./internal/idle", "./internal/waitq", "./internal/pace")
		goFor(t, "386", "test", "-short", "-timeout=5m", "-run=^Test(Seam|Fault0|Stats|Acquires)", ".")
	})
}

func goFor(t *testing.T, arch string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = goarch.Environ(arch)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), out)
}
