//go:build unix

package servertest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// nobody is the unprivileged user and group wherever there is one.
const nobody = 65534

// unprivileged has a program run as nobody if we are root, and as ourselves
// otherwise, in a session of its own: a Ctrl-C must not reach the server first.
func unprivileged() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return attributes
}

// hand gives a folder to whom the server runs as.
func hand(folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	err := filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, nobody, nobody)
	})
	if err != nil {
		return fmt.Errorf("servertest: handing over %s: %w", folder, err)
	}
	return nil
}
