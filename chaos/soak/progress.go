package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells what is going on: on a terminal with a line that changes,
// elsewhere with a line a phase.
type progress struct {
	screen   io.Writer
	terminal bool
	next     time.Time
}

func newProgress(screen io.Writer) *progress {
	p := &progress{screen: screen}
	if file, ok := screen.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// tick shows what summary says, once a second at most.
func (p *progress) tick(summary func() string) {
	if !p.terminal || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(time.Second)
	fmt.Fprintf(p.screen, "\r\x1b[K%s", summary())
}

// line prints a line that stays.
func (p *progress) line(text string) {
	if p.terminal {
		fmt.Fprint(p.screen, "\r\x1b[K")
	}
	fmt.Fprintln(p.screen, text)
}
