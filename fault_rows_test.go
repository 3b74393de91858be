package connpool_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/internal/goarch"
)

// docs/faults.md lists what the pool has to survive. A test that stands for a row
// carries its number in its name, as TestFault04_... does. Tests of nested modules
// count: some faults need a server, or a tool that the module is not to depend on.
// Whether they pass is for their own runs to say.
func TestEveryFaultHasATestAndEveryTestItsFault(t *testing.T) {
	page, err := os.ReadFile("docs/faults.md")
	require.NoError(t, err)
	rows := faultRows(page)
	require.True(t, rows[1] && rows[99], "the page has been read")
	tests, err := faultTests(os.DirFS("."))
	require.NoError(t, err)
	require.Empty(t, untested(rows, tests))
	for row := range tests {
		require.True(t, rows[row], "docs/faults.md has no row %d: %v", row, tests[row])
	}
}

func TestAFaultWithoutATestIsReported(t *testing.T) {
	rows := faultRows([]byte("| no. | what |\n|--:|---|\n| 1 | a |\n| 3 | b |\n| 4 | c |\n| 117 | d |\n"))
	require.Len(t, rows, 4)
	tree := fstest.MapFS{
		"a_test.go":          {Data: []byte("func TestFault01_A(t *testing.T) {}\nfunc TestFault117_B(t *testing.T) {}\n")},
		"chaos/b_test.go":    {Data: []byte("func TestFault03_C(t *testing.T) {}\n")},
		"c.go":               {Data: []byte("func TestFault04_NotATestFile(t *testing.T) {}\n")},
		"d_test.go":          {Data: []byte("// func TestFault04_InAComment(t *testing.T) {}\n")},
		"testdata/e_test.go": {Data: []byte("func TestFault04_NeverRun(t *testing.T) {}\n")},
		".old/f_test.go":     {Data: []byte("func TestFault04_NeverRun(t *testing.T) {}\n")},
	}
	tests, err := faultTests(tree)
	require.NoError(t, err)
	require.Equal(t, []string{"chaos/b_test.go: TestFault03_C"}, tests[3])
	require.Equal(t, []int{4}, untested(rows, tests))
}

var faultRow = regexp.MustCompile(`(?m)^\| (\d+) \|`)

// faultRows returns the numbers of the rows of a page's tables.
func faultRows(page []byte) map[int]bool {
	rows := map[int]bool{}
	for _, match := range faultRow.FindAllSubmatch(page, -1) {
		row, _ := strconv.Atoi(string(match[1])) // digits
		rows[row] = true
	}
	return rows
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
			row, _ := strconv.Atoi(string(match[2])) // digits
			tests[row] = append(tests[row], fmt.Sprintf("%s: %s", path.Clean(name), match[1]))
		}
		return err
	})
	return tests, err
}

// untested returns the rows that no test stands for, in order.
func untested(rows map[int]bool, tests map[int][]string) (missing []int) {
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		if len(tests[row]) == 0 {
			missing = append(missing, row)
		}
	}
	return missing
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
