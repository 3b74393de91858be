package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A template is a cluster that initdb made and nobody has started: a folder
// with the cluster and its superuser's password. It is built once and copied
// for each server.
//
// INVARIANT: a template under its final name is whole. It is built elsewhere,
// written through to the disk, and then renamed. It lies in a folder that only
// we can write, so nobody else can have made it.
type template struct{ path string }

const (
	clusterFolder = "data"
	passwordFile  = "password"
)

// initdbArgs are part of the template's key: change them and old templates are
// no longer used. WAL segments of 1 MB instead of 16 halve what each start
// copies.
var initdbArgs = []string{
	"--username=" + User, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
	"--wal-segsize=1", "--no-sync",
}

// initdbTimeout bounds the one slow step, for callers whose context never ends.
const initdbTimeout = 2 * time.Minute

// findTemplate returns the template for the installed version, building it when
// it does not exist yet.
func findTemplate(ctx context.Context, i install, a account) (template, error) {
	cache, err := cacheFolder()
	if err != nil {
		return template{}, err
	}
	key, err := templateKey(ctx, i, a)
	if err != nil {
		return template{}, err
	}
	t := template{filepath.Join(cache, "template-"+key)}
	if exists, err := t.exists(); exists || err != nil {
		return t, err
	}
	unlock, err := lock(ctx, t.path+".lock")
	if err != nil {
		return template{}, err
	}
	defer unlock()
	if exists, err := t.exists(); exists || err != nil {
		return t, err // the one we waited for built it
	}
	return t, t.build(ctx, i, a)
}

// cacheFolder returns a folder for templates that is ours alone: in the user's
// cache, or in the temporary folder when there is no cache to write to.
func cacheFolder() (string, error) {
	var tried []error
	for _, path := range cacheFolders() {
		err := os.MkdirAll(path, 0o700)
		if err == nil {
			err = checkOurs(path)
		}
		if err == nil {
			return path, nil
		}
		tried = append(tried, err)
	}
	return "", fmt.Errorf("pgtest: finding a folder for the template: %w", errors.Join(tried...))
}

func cacheFolders() []string {
	inTemp := filepath.Join(os.TempDir(), fmt.Sprintf("pgtest-cache-%d", os.Geteuid()))
	if cache, err := os.UserCacheDir(); err == nil {
		return []string{filepath.Join(cache, "pgtest"), inTemp}
	}
	return []string{inTemp}
}

// checkOurs refuses what another user could have prepared for us. Lstat, since
// a link could lead anywhere.
func checkOurs(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !isOurs(info) {
		return fmt.Errorf("%s is not a folder that we own and only we can write; remove it", path)
	}
	return nil
}

// templateKey names what a template depends on. The user is no part of it: each
// has a cache of their own.
func templateKey(ctx context.Context, i install, a account) (string, error) {
	version, err := a.command(ctx, "/", i.initdb(), "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pgtest: running %s as uid %d: %w: %s", i.initdb(), a.uid, err, version)
	}
	key := fmt.Sprint(i.bin, string(version), initdbArgs)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(key)))[:16], nil
}

func (t template) exists() (bool, error) {
	err := checkOurs(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("pgtest: checking the template: %w", err)
	}
	return true, nil
}

// build makes the template. The caller holds its lock, so a half-built one that
// lies around was left by a process that died.
//
// The account cannot enter our cache when it is lent, so initdb works in a
// folder of its own, and we copy what it made.
func (t template) build(ctx context.Context, i install, a account) (err error) {
	f, err := newFolder(a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.remove()) }()
	if err := runInitdb(ctx, i, f); err != nil {
		return err
	}
	half := t.path + ".half"
	err = errors.Join(os.RemoveAll(half), os.CopyFS(half, os.DirFS(f.path)))
	if err == nil {
		err = errors.Join(os.Chmod(half, 0o700), syncAll(half))
	}
	if err == nil {
		err = os.Rename(half, t.path)
	}
	if err != nil {
		return fmt.Errorf("pgtest: storing the template: %w", err)
	}
	return nil
}

// runInitdb leaves a cluster and its password in the folder.
func runInitdb(ctx context.Context, i install, f *folder) error {
	password := filepath.Join(f.path, passwordFile)
	if err := os.WriteFile(password, []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("pgtest: writing the password file: %w", err)
	}
	if err := f.account.own(f.path); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, initdbTimeout)
	defer cancel()
	args := append([]string{"--pgdata=" + filepath.Join(f.path, clusterFolder), "--pwfile=" + password}, initdbArgs...)
	cmd := f.account.command(ctx, f.path, i.initdb(), args...)
	cmd.WaitDelay = time.Second // when killed, its children may hold the output open
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: running initdb: %w", errors.Join(err, ctx.Err(), errors.New(string(output))))
	}
	return nil
}

// syncAll writes every file under path through to the disk, so that a crash of
// the machine after the rename cannot leave a template of empty files.
func syncAll(path string) error {
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}

// copyTo puts a fresh cluster into the folder and returns its password.
func (t template) copyTo(f *folder) (password string, err error) {
	text, err := os.ReadFile(filepath.Join(t.path, passwordFile))
	if err != nil {
		return "", fmt.Errorf("pgtest: reading the template: %w", err)
	}
	data := filepath.Join(f.path, clusterFolder)
	err = os.CopyFS(data, os.DirFS(filepath.Join(t.path, clusterFolder)))
	if err == nil {
		err = os.Chmod(data, 0o700) // postgres insists
	}
	if err != nil {
		return "", fmt.Errorf("pgtest: copying the template: %w", err)
	}
	return strings.TrimSpace(string(text)), f.account.own(f.path)
}
