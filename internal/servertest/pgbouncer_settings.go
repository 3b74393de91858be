package servertest

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// PgBouncerOptions say how a PgBouncer differs from the usual one, which is in
// session mode. The zero value is ready to use.
type PgBouncerOptions struct {
	// Settings are those of the section [pgbouncer], for example "pool_mode":
	// "transaction" or "default_pool_size": "4". They override the ones this package
	// chooses. Those which say where PgBouncer listens and whom it lets in are
	// refused, for the DSNs would no longer lead there.
	//
	// max_prepared_statements is left out where the installed version does not know
	// it, before 1.21: PgBouncer would not start. SHOW CONFIG tells.
	Settings map[string]string
}

// usualSettings are for who only wants another server on the way.
var usualSettings = map[string]string{
	"pool_mode":                 "session",
	"max_client_conn":           "200",
	"default_pool_size":         "50",
	"ignore_startup_parameters": "extra_float_digits",
}

const trackingSetting = "max_prepared_statements"

// lines returns the settings as the lines of a file, in a stable order.
func (o PgBouncerOptions) lines(ctx context.Context, s *Server) (string, error) {
	settings := maps.Clone(usualSettings)
	maps.Copy(settings, o.Settings)
	if err := addOwn(settings, s.port); err != nil {
		return "", err
	}
	if err := dropUnknown(ctx, settings, s.program); err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&lines, "%s = %s\n", name, settings[name])
	}
	return lines.String(), nil
}

// addOwn adds the settings that the DSNs rely on.
func addOwn(settings map[string]string, port int) error {
	for name, value := range map[string]string{
		"listen_addr":     "127.0.0.1",
		"listen_port":     strconv.Itoa(port),
		"unix_socket_dir": "",
		"auth_type":       "any",
		"admin_users":     consoleUser,
	} {
		if _, taken := settings[name]; taken {
			return fmt.Errorf("servertest: PgBouncer's setting %q is chosen by this package; leave it out", name)
		}
		settings[name] = value
	}
	return nil
}

// dropUnknown removes what the installed version would not start with.
func dropUnknown(ctx context.Context, settings map[string]string, program string) error {
	if _, asked := settings[trackingSetting]; !asked {
		return nil
	}
	version, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return fmt.Errorf("servertest: asking %s for its version: %w", program, err)
	}
	tracks, err := tracksStatements(string(version))
	if !tracks {
		delete(settings, trackingSetting)
	}
	return err
}

// tracksStatements reports whether a version of PgBouncer can track prepared
// statements.
func tracksStatements(version string) (bool, error) {
	var major, minor int
	if _, err := fmt.Sscanf(version, "PgBouncer %d.%d", &major, &minor); err != nil {
		return false, fmt.Errorf("servertest: no version of PgBouncer: %q: %w", version, err)
	}
	return major > 1 || minor >= 21, nil
}
