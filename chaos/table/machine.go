package table

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine returns what the results depend on, in a few lines.
func Machine() []string {
	lines := []string{
		fmt.Sprintf("machine: %s, %d processors, %s/%s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH),
		"versions: " + strings.Join(versions(), ", "),
	}
	if servers := serverVersions(); len(servers) > 0 {
		lines = append(lines, "servers: "+strings.Join(servers, ", "))
	}
	return lines
}

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// versions returns the versions of what this program was built with.
func versions() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return []string{runtime.Version()}
	}
	versions := []string{info.GoVersion + " (database/sql)"}
	for _, dep := range info.Deps {
		switch dep.Path {
		case "github.com/jackc/puddle/v2":
			versions = append(versions, "puddle "+dep.Version)
		case "github.com/jackc/pgx/v5":
			versions = append(versions, "pgxpool "+dep.Version)
		case "github.com/go-sql-driver/mysql":
			versions = append(versions, "go-sql-driver/mysql "+dep.Version)
		}
	}
	return versions
}

// serverVersions asks the programs that are there.
func serverVersions() (versions []string) {
	for _, program := range []string{"postgres", "redis-server", "pgbouncer", "mariadbd"} {
		for _, path := range []string{program, "/usr/sbin/" + program} {
			out, err := exec.Command(path, "--version").Output()
			if err != nil {
				continue
			}
			first, _, _ := strings.Cut(string(out), "\n")
			versions = append(versions, strings.TrimSpace(first))
			break
		}
	}
	return versions
}
