package pgxconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/connpool/connpool"
)

const readOnly = "25006" // the SQLSTATE of a write where none is allowed

// isBad reports whether an error means that the connection is of no more use,
// though pgx has not closed it. What pgx does close a connection for, network errors
// and all that is FATAL, Clean sees by the connection: the same error may be about
// another server that the work talks to.
func (c *Config) isBad(err error) bool {
	var own *statementError
	var acquire *connpool.AcquireError
	if errors.As(err, &own) || errors.As(err, &acquire) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return errors.Is(err, connpool.ErrBadConn)
	}
	switch refusal.Code {
	case "57P01", "57P02", "57P03":
		return true
	case readOnly:
		return !c.target.reads()
	}
	return strings.HasPrefix(refusal.Code, "08")
}

// statementError is an error that the statement is to blame for.
type statementError struct{ error }

func (e *statementError) Unwrap() error { return e.error }

// ownError returns err, marked if a write was refused by the transaction's own
// wish: the server has told (since version 14) that it takes writes.
func ownError(conn *pgx.Conn, err error) error {
	var refusal *pgconn.PgError
	if err != nil && errors.As(err, &refusal) && refusal.Code == readOnly &&
		status(conn, "in_hot_standby") == "off" && status(conn, "default_transaction_read_only") == "off" {
		return &statementError{err}
	}
	return err
}

func status(conn *pgx.Conn, name string) string { return conn.PgConn().ParameterStatus(name) }

// target is what is asked of a server at connect, and again by checks.
type target int

const (
	anything target = iota
	readWrite
	primary
	reading // read-only or prefer-standby
	standby
)

// targetOf finds out by its ValidateConnect, which is all that pgx keeps of
// target_session_attrs.
func targetOf(conn *pgx.ConnConfig) target {
	if conn.ValidateConnect == nil {
		return anything
	}
	validate := reflect.ValueOf(conn.ValidateConnect).Pointer()
	for t, known := range map[target]pgconn.ValidateConnectFunc{
		readWrite: pgconn.ValidateConnectTargetSessionAttrsReadWrite,
		primary:   pgconn.ValidateConnectTargetSessionAttrsPrimary,
		reading:   pgconn.ValidateConnectTargetSessionAttrsReadOnly,
		standby:   pgconn.ValidateConnectTargetSessionAttrsStandby,
	} {
		if validate == reflect.ValueOf(known).Pointer() {
			return t
		}
	}
	if validate == reflect.ValueOf(pgconn.ValidateConnectTargetSessionAttrsPreferStandby).Pointer() {
		return reading
	}
	return anything
}

// reads reports whether a server that takes no writes is wanted.
func (t target) reads() bool { return t == reading || t == standby }

// lost reports whether the server has told, as it does since version 14 whenever
// that changes, that it is no more what is wanted. A check makes sure.
func (t target) lost(conn *pgx.Conn) bool {
	switch t {
	case readWrite:
		return status(conn, "in_hot_standby") == "on" ||
			status(conn, "default_transaction_read_only") == "on"
	case primary:
		return status(conn, "in_hot_standby") == "on"
	case standby:
		return status(conn, "in_hot_standby") == "off"
	}
	return false
}

// judged returns an error of a dial, marked if dialling again is no use.
func (c *Config) judged(err error) error {
	if c.permanent(err) {
		return connpool.Permanent(err)
	}
	return err
}

// permanent reports whether trying again does not mend an error, at any address.
// A refused login is no such error where BeforeConnect may bring another password.
func (c *Config) permanent(err error) bool {
	switch e := err.(type) {
	case nil:
		return false
	case *pgconn.PgError:
		return e.Code == "3D000" || strings.HasPrefix(e.Code, "28") && c.BeforeConnect == nil
	case *net.DNSError:
		return e.IsNotFound && !e.IsTemporary
	case *tls.CertificateVerificationError, x509.UnknownAuthorityError, x509.HostnameError,
		x509.CertificateInvalidError:
		return true
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if !c.permanent(one) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	}
	return c.permanent(errors.Unwrap(err))
}
