package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// ErrNotInstalled says that no PostgreSQL server binaries were found, and what
// to do about it. The error returned also lists where they were looked for.
var ErrNotInstalled = errors.New("the PostgreSQL server is not installed; " +
	`install it ("apt-get install postgresql", "brew install postgresql") ` +
	"or set PGTEST_BIN to the folder that holds initdb and postgres")

// binEnv names the folder with the binaries to use. When set, nowhere else is
// searched: running another version than the one asked for would be worse than
// running none.
const binEnv = "PGTEST_BIN"

// An install is the folder of one PostgreSQL version's server binaries.
type install struct{ bin string }

func (i install) initdb() string   { return filepath.Join(i.bin, executable("initdb")) }
func (i install) postgres() string { return filepath.Join(i.bin, executable("postgres")) }

// findInstall returns the first of folders that holds a server.
func findInstall(folders []string) (install, error) {
	for _, folder := range folders {
		i := install{folder}
		if isExecutable(i.initdb()) && isExecutable(i.postgres()) {
			return i, nil
		}
	}
	return install{}, fmt.Errorf("pgtest: %w (looked in %q)", ErrNotInstalled, folders)
}

// binFolders lists where the binaries may be, most wanted first.
func binFolders() []string {
	if chosen := os.Getenv(binEnv); chosen != "" {
		return absolute([]string{chosen})
	}
	folders := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // PGDG on Red Hat
		"/usr/libexec/postgresql*",          // Alpine
		"/usr/local/pgsql/bin",              // built from source
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, _ := filepath.Glob(pattern) // fails only for a malformed pattern
		folders = append(folders, newestFirst(found)...)
	}
	return absolute(folders)
}

// absolute makes the folders usable from any working folder, since the server
// runs in its own. It leaves out what cannot be made so.
func absolute(folders []string) []string {
	var out []string
	for _, folder := range folders {
		if full, err := filepath.Abs(folder); err == nil && folder != "" {
			out = append(out, full)
		}
	}
	return out
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)?`)

// newestFirst orders folders by the last version number in their path, as a
// number: 16 before 9.6.
func newestFirst(folders []string) []string {
	slices.SortStableFunc(folders, func(a, b string) int {
		switch va, vb := versionIn(a), versionIn(b); {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return 0
	})
	return folders
}

func versionIn(path string) float64 {
	numbers := versionNumber.FindAllString(path, -1)
	if len(numbers) == 0 {
		return 0
	}
	version, _ := strconv.ParseFloat(numbers[len(numbers)-1], 64) // the pattern admits only numbers
	return version
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return false
	}
	return runtime.GOOS == "windows" || info.Mode()&0o111 != 0
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}
