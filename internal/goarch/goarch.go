// Package goarch finds out whether this machine runs programs that are built for
// another processor: tests that need one ask it first.
package goarch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// patience bounds each step of the probe.
const patience = time.Minute

// Runs returns nil if this machine runs programs for Linux on the given
// processor, and otherwise why not. It builds and runs an empty program to know:
// some kernels for amd64 run no 32-bit programs, and nothing else tells.
//
// It takes no emulator's word for it: under qemu-i386 threads share a table of
// segments, and Go's runtime, which keeps its goroutine there, crashes or hangs.
func Runs(arch string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%s runs no programs of linux/%s", runtime.GOOS, arch)
	}
	folder, err := os.MkdirTemp("", "goarch")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	if err := os.WriteFile(file, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return err
	}
	if err := run(Environ(arch), "go", "build", "-o", program, file); err != nil {
		return fmt.Errorf("build for linux/%s: %w", arch, err)
	}
	if err := run(nil, program); err != nil {
		return fmt.Errorf("this machine runs no programs of linux/%s: %w", arch, err)
	}
	return nil
}

func run(env []string, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// Environ returns this process's environment for a go command that builds for
// another processor. Without cgo no C compiler for it is needed, and so there is
// no race detector.
func Environ(arch string) []string {
	return append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
}
