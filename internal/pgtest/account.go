package pgtest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// An account is the user that runs the server. PostgreSQL refuses to run as
// root, so root lends it another account; everybody else uses their own.
type account struct {
	uid, gid uint32
	lent     bool // we are root and the server is not
}

// command prepares a program that runs as the account. The folder matters: our
// own working folder may be one the account cannot enter. LC_ALL=C keeps
// messages in the English that errPortTaken and its like are recognised by.
func (a account) command(ctx context.Context, folder, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = a.attributes()
	return cmd
}

// own hands everything under path to the account.
func (a account) own(path string) error {
	if !a.lent {
		return nil // we made it, so it is ours already
	}
	err := filepath.WalkDir(path, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, int(a.uid), int(a.gid))
	})
	if err != nil {
		return fmt.Errorf("pgtest: handing %s to uid %d: %w", path, a.uid, err)
	}
	return nil
}

// canReach reports whether the account can enter folder, which takes the x bit
// on every folder above it too.
func (a account) canReach(folder string) bool {
	if !a.lent {
		return true
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode()&0o001 == 0 {
		return false
	}
	parent := filepath.Dir(folder)
	return parent == folder || a.canReach(parent)
}
