//go:build unix

package row

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// stopSelf stops this process as a suspended machine would, and returns when it
// goes on.
func stopSelf(d time.Duration) error {
	pid := strconv.Itoa(os.Getpid())
	waker := exec.Command("/bin/sh", "-c", `sleep "$1"; kill -CONT "$2"`, "waker", fmt.Sprint(d.Seconds()), pid)
	if err := waker.Start(); err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		return err
	}
	return waker.Wait()
}
