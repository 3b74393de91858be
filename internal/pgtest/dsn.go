package pgtest

import (
	"net/url"
	"strconv"
)

// Addr returns the server's TCP address as host:port.
func (s *Server) Addr() string { return address(s.port) }

// DSN returns the URL of the server's database over TCP, as superuser and
// without TLS.
func (s *Server) DSN() string {
	return s.dsn(s.Addr(), url.Values{"sslmode": {"disable"}})
}

// SocketDSN is DSN over the server's unix socket. Only the account that runs
// the server, and root, can reach it.
func (s *Server) SocketDSN() string {
	return s.dsn("", url.Values{"host": {s.folder.path}, "port": {strconv.Itoa(s.port)}, "sslmode": {"disable"}})
}

// TLSDSN is DSN with TLS, which the server must have been started with. The
// client does not verify the server's certificate, which is its own.
func (s *Server) TLSDSN() string {
	return s.dsn(s.Addr(), url.Values{"sslmode": {"require"}})
}

func (s *Server) dsn(host string, query url.Values) string {
	dsn := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(User, s.password),
		Host:     host,
		Path:     "/" + Database,
		RawQuery: query.Encode(),
	}
	return dsn.String()
}
