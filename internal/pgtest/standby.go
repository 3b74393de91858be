package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Demote restarts the server as a standby, which takes no writes: one that has lost
// its primary and waits for it. The sessions are cut off. A standby becomes a primary
// by pg_promote().
func (s *Server) Demote(ctx context.Context) error {
	signal := filepath.Join(s.folder.path, clusterFolder, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return fmt.Errorf("pgtest: demoting the server: %w", err)
	}
	if err := s.folder.account.own(signal); err != nil {
		return err
	}
	return s.Restart(ctx)
}
