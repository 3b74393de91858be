package goarch

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThisProcessorsProgramsRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("programs are built for Linux")
	}
	require.NoError(t, Runs(runtime.GOARCH))
}

func TestAnotherProcessorsProgramsDoNot(t *testing.T) {
	err := Runs("mips64")
	if err == nil {
		t.Skip("the kernel has an emulator for it registered")
	}
	require.ErrorContains(t, err, "runs no programs of linux/mips64")
}

func TestWhatGoCannotBuildForIsToldApart(t *testing.T) {
	require.ErrorContains(t, Runs("abacus"), "build for linux/abacus")
}
