// Package pgtest runs a private PostgreSQL server for tests and example
// programs. It uses the server binaries installed on this machine; nothing is
// downloaded and no running server is touched.
//
//	server := pgtest.New(t, pgtest.Options{})
//	conn, err := pgx.Connect(ctx, server.DSN())
//
// # The life of a server
//
// Start makes a private folder, copies a ready cluster into it from a cached
// template (initdb takes about a second, the copy a fraction of one), picks a
// free port and runs postgres as a direct child. The states and what moves
// between them:
//
//	          Shutdown, Kill, or a crash
//	running ------------------------------> down
//	  ^  |  <------------------------------  |
//	  |  |            Restart                |
//	  |  +---------------+-------------------+
//	  |   Pause          | Stop
//	  v                  v
//	paused            stopped (folder removed, final)
//
// Continue leads from paused back to running; Stop and Kill also work on a
// paused server.
//
// # What is left behind
//
// After Stop: nothing but the template. When our process dies without Stop,
// even by kill -9, the folder's watchdog ends the server and removes the
// folder; see folder.go.
//
// # Where it runs
//
// Linux is what the tests cover. On macOS and the BSDs everything but Pause
// and Continue is written to work; elsewhere Start reports
// errors.ErrUnsupported.
package pgtest
