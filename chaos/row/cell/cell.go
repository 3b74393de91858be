package cell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/connpool/connpool/chaos/row"
	"github.com/connpool/connpool/chaos/row/pool"
)

// Order says what a process is to run. It is passed in the environment.
type Order struct {
	Row  int
	Pool pool.Kind
}

const orderEnv = "CHAOS_CELL"

// limit bounds a run: whoever takes longer is stuck somewhere that the scenario
// does not watch. It is short of twice the time of the longest.
const limit = 100 * time.Second

// Run runs a row against a pool in another process of this program, whose main
// must call Serve first.
func Run(ctx context.Context, r row.Row, k pool.Kind) (row.Outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return row.Outcome{}, fmt.Errorf("cell: %w", err)
	}
	order, err := json.Marshal(Order{r.Number, k})
	if err != nil {
		return row.Outcome{}, fmt.Errorf("cell: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), orderEnv+"="+string(order))
	if r.Drops {
		isolate(cmd)
	}
	var said, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaints
	return outcome(ctx, cmd.Run(), said.Bytes(), complaints.String())
}

// outcome says how a process ended: with a result, or otherwise.
func outcome(ctx context.Context, failed error, said []byte, complaints string) (o row.Outcome, err error) {
	var died *exec.ExitError
	switch {
	case failed == nil:
		if err := json.Unmarshal(said, &o); err != nil {
			return o, fmt.Errorf("cell: the process said %q: %w", said, err)
		}
		return o, nil
	case ctx.Err() != nil:
		return row.Outcome{Seen: fmt.Sprintf("stuck: killed after %v", limit), Verdict: row.Failed}, nil
	case errors.As(failed, &died):
		return row.Outcome{Seen: "the process died: " + lastWords(complaints, died), Verdict: row.Failed}, nil
	}
	return o, fmt.Errorf("cell: %w", failed)
}

// lastWords returns the line that says why a Go process has died.
func lastWords(complaints string, died *exec.ExitError) string {
	for line := range strings.Lines(complaints) {
		for _, cause := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
			if strings.HasPrefix(line, cause) {
				return strings.TrimSpace(line)
			}
		}
	}
	return died.String()
}

// Serve runs what the environment orders, if anything, writes the outcome and
// exits. In a process that was not started by Run it does nothing.
func Serve(out io.Writer) {
	order, ok := os.LookupEnv(orderEnv)
	if !ok {
		return
	}
	if err := serve(out, []byte(order)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var errNoSuchRow = errors.New("cell: no such row")

func serve(out io.Writer, text []byte) error {
	var order Order
	if err := json.Unmarshal(text, &order); err != nil {
		return fmt.Errorf("cell: the order: %w", err)
	}
	if err := settle(); err != nil {
		return err
	}
	for _, r := range row.All() {
		if r.Number == order.Row && r.AppliesTo(order.Pool) {
			return json.NewEncoder(out).Encode(row.Run(context.Background(), r, order.Pool))
		}
	}
	return errNoSuchRow
}
