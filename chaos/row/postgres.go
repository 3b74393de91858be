package row

import (
	"context"
	"errors"

	"github.com/connpool/connpool/internal/pgtest"
)

// postgres starts a private server for the trial.
func (t *Trial) postgres(settings map[string]string) *pgtest.Server {
	server, err := pgtest.Start(context.WithoutCancel(t.ctx), pgtest.Options{Settings: settings})
	switch {
	case err == nil:
	case errors.Is(err, pgtest.ErrNotInstalled), errors.Is(err, errors.ErrUnsupported):
		t.Skip(err.Error())
	default:
		t.Abortf("starting PostgreSQL: %v", err)
	}
	t.Cleanup(func() { t.Must(server.Stop(), "stopping PostgreSQL") })
	return server
}
