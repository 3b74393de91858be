// Package servertest runs private servers for tests and example programs: Redis,
// PgBouncer, MariaDB, HAProxy and RabbitMQ, each on a free port of the loopback interface, in a folder
// of its own, as an unprivileged user, from the binaries installed on this machine.
//
// A server ends with the process that started it, however that dies: it is the
// child of a shell that waits for our end of a pipe to close, and then kills it
// and removes its folder.
package servertest
