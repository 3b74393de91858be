package report

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is where and when a run took place.
type Machine struct {
	Began    time.Time
	CPU      string
	Cores    int
	Memory   string
	Kernel   string
	Platform string
	Go       string
	Load     string // averages over 1, 5 and 15 minutes, when it began
	Revision string // of this repository
}

// ThisMachine looks around. What cannot be found out reads "unknown".
func ThisMachine() Machine {
	return Machine{
		Began:    time.Now(),
		CPU:      valueOf("/proc/cpuinfo", "model name"),
		Cores:    runtime.NumCPU(),
		Memory:   memory(valueOf("/proc/meminfo", "MemTotal")),
		Kernel:   content("/proc/sys/kernel/osrelease"),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Go:       runtime.Version(),
		Load:     load(),
		Revision: revision(),
	}
}

const unknown = "unknown"

func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(text))
}

// valueOf returns the value of the first line that begins with a key, in files
// like /proc/cpuinfo.
func valueOf(path, key string) string {
	for line := range strings.Lines(content(path)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// memory turns "16384256 kB" into "15.6 GB".
func memory(total string) string {
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(total, " kB"), 64)
	if err != nil {
		return total
	}
	return fmt.Sprintf("%.1f GB", kilobytes/(1<<20))
}

func load() string {
	fields := strings.Fields(content("/proc/loadavg"))
	if len(fields) < 3 {
		return unknown
	}
	return strings.Join(fields[:3], ", ")
}

func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(out))
}
