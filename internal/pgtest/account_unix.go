//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pgtest

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// nobodyID is the unprivileged user where the user database names none, as in
// a bare container.
const nobodyID = 65534

// chooseAccount returns the account to run the server as.
func chooseAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if a, ok := accountNamed(name); ok {
			return a, nil
		}
	}
	return account{uid: nobodyID, gid: nobodyID, lent: true}, nil
}

func accountNamed(name string) (account, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, false
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	return account{uid: uint32(uid), gid: uint32(gid), lent: true}, uidErr == nil && gidErr == nil
}

// attributes gives each program its own session: a Ctrl-C, or a kill of our
// process group, must not reach the server before Stop or the watchdog does.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if a.lent {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attributes
}

// isOurs reports whether a folder belongs to us and nobody else can write it.
func isOurs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && int(stat.Uid) == os.Geteuid() && info.Mode()&0o022 == 0
}
