package row

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// mostWords is how much of an error fits the table.
const mostWords = 110

// short returns an error's text in one line of the table.
func short(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if runes := []rune(text); len(runes) > mostWords {
		return string(runes[:mostWords-1]) + "…"
	}
	return text
}

// ms rounds to what is worth reading.
func ms(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func thousands(n int64) string {
	if n < 10_000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%dk", n/1000)
}

// peak is the longest of several durations.
type peak struct{ most atomic.Int64 }

func (p *peak) note(d time.Duration) {
	for most := p.most.Load(); int64(d) > most && !p.most.CompareAndSwap(most, int64(d)); most = p.most.Load() {
	}
}

func (p *peak) get() time.Duration { return time.Duration(p.most.Load()) }
