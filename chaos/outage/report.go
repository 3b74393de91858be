package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// report writes RESULTS.md beside the charts.
func (o order) report(outcomes []outcome) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What callers notice of a server's bad moments\n\n")
	fmt.Fprintf(&b, "Written by `%s` on %s, %s.\n%s.\n\n", o.command(), time.Now().Format("2 January 2006"), machine(), strings.Join(append(versions(), servers(outcomes)...), ", "))
	fmt.Fprintf(&b, "%d callers query a server (10 ms a query) through %d connections, each pool on its own. "+
		"One caller in %d has little time: 200 ms to half of what the fault lasts, or to 300 ms; the others have 5 to 10 s more than it lasts. "+
		"Who fails pauses %v. Both pools allow a dial %v and a query %v; this pool never refuses callers early (DownAfter -1).\n",
		callers, maxSize, briefEvery, afterError, connectTimeout, queryTimeout)
	for _, result := range outcomes {
		fmt.Fprintf(&b, "\n## %s\n\n![%s](%s.svg)\n\n%s", result.title, result.title, result.name, result.table())
	}
	return os.WriteFile(filepath.Join(o.out, "RESULTS.md"), b.Bytes(), 0o644)
}

func (o order) command() string {
	command := "go run ./outage"
	if o.quick {
		command += " -quick"
	}
	if o.only != "" {
		command += " -only " + o.only
	}
	return command
}

func machine() string {
	return fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// versions are those of pgx, of which pgxpool is a part, and of what it builds on.
func versions() (found []string) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if strings.HasPrefix(m.Path, "github.com/jackc/") && !strings.Contains(m.Path, "pgpass") && !strings.Contains(m.Path, "pgservice") {
				found = append(found, m.Path+" "+m.Version)
			}
		}
	}
	return found
}

func servers(outcomes []outcome) []string {
	if len(outcomes) == 0 {
		return nil
	}
	return []string{"PostgreSQL " + outcomes[0].tapes[0].server}
}
