package table

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var testName = regexp.MustCompile(`(?m)^func (TestFault(\d\d)_\w+)`)

const rootModule = "module github.com/connpool/connpool\n"

// Tests returns the names of the tests that carry a row's number, from the
// repository around a folder. Outside of a repository there are none.
func Tests(folder string) (map[int][]string, error) {
	root, err := repository(folder)
	if err != nil {
		return nil, err
	}
	tests := make(map[int][]string)
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != root:
			return filepath.SkipDir
		case !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		return collect(name, tests)
	})
	for number, names := range tests {
		slices.Sort(names)
		tests[number] = slices.Compact(names) // a row may have a test of one name here and in the root
	}
	return tests, err
}

func collect(file string, tests map[int][]string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	for _, match := range testName.FindAllStringSubmatch(string(source), -1) {
		number, err := strconv.Atoi(match[2])
		if err != nil {
			return fmt.Errorf("table: %s: %w", match[1], err)
		}
		tests[number] = append(tests[number], match[1])
	}
	return nil
}

var errNoRepository = errors.New("table: not in the repository")

func repository(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("table: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), rootModule) {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errNoRepository
		}
		folder = parent
	}
}
