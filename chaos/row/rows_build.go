package row

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/connpool/connpool/internal/goarch"
)

// The row about other machines.
func buildRows() []Row {
	return []Row{{
		Number: 51, Name: "386, race, arm64", On: onlyOurs, Scenario: builds,
		Injected: "go vet and go build for GOARCH=386 and arm64; on 386 and with -race a test as well",
		Required: "green",
	}}
}

func builds(t *Trial) {
	root, err := repository()
	if err != nil {
		t.Skip("the pool's source is not at hand: " + err.Error())
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command: " + err.Error())
	}
	for _, step := range []struct {
		arch string
		args []string
	}{
		{"386", []string{"vet", "."}},
		{"arm64", []string{"vet", "."}},
		{"arm64", []string{"build", "./..."}},
		{"", []string{"test", "-count=1", "-short", "-race", "-run=^TestFault0[1-7]", "."}},
	} {
		t.goCommand(root, step.arch, step.args...)
	}
	if err := goarch.Runs("386"); err != nil {
		t.Sawf("green; not run on 386: %v", short(err))
		return
	}
	t.goCommand(root, "386", "test", "-count=1", "-short", "-run=^TestFault0[1-7]", ".")
	t.Sawf("green")
}

func (t *Trial) goCommand(root, arch string, args ...string) {
	cmd := exec.CommandContext(t.ctx, "go", args...)
	cmd.Dir = root
	if arch != "" {
		cmd.Env = goarch.Environ(arch)
	}
	out, err := cmd.CombinedOutput()
	t.Require(err == nil, "%s go %s: %v: %s", arch, strings.Join(args, " "), err, short(errors.New(string(out))))
}

var errNoRepository = errors.New("no folder above this one has the pool's go.mod")

// repository returns the folder of the pool's module, somewhere above.
func repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/connpool/connpool\n") {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errNoRepository
		}
		folder = parent
	}
}
