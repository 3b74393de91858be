package sqlconn_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"math"
	"reflect"
)

// What a driver may or may not have, one interface each.
type (
	hasPrepareContext struct{ pc *fakeConn }
	hasExecContext    struct{ ec *fakeConn }
	hasExec           struct{ e *fakeConn }
	hasQueryContext   struct{ qc *fakeConn }
	hasQuery          struct{ q *fakeConn }
	hasPing           struct{ p *fakeConn }
	hasBeginTx        struct{ b *fakeConn }
	hasReset          struct{ r *fakeConn }
	hasIsValid        struct{ v *fakeConn }
	hasChecker        struct{ n *fakeConn }
)

func (h hasPrepareContext) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return h.pc.prepare("PrepareContext", query)
}

func (h hasExecContext) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return h.ec.run("ExecContext", query, args)
}

func (h hasExec) Exec(query string, args []driver.Value) (driver.Result, error) {
	return h.e.run("Exec", query, args)
}

func (h hasQueryContext) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return h.qc.read("QueryContext", query, args)
}

func (h hasQuery) Query(query string, args []driver.Value) (driver.Rows, error) {
	return h.q.read("Query", query, args)
}

func (h hasPing) Ping(context.Context) error { return h.p.ask("Ping") }

func (h hasBeginTx) BeginTx(_ context.Context, options driver.TxOptions) (driver.Tx, error) {
	return h.b.begin("BeginTx", options)
}

func (h hasReset) ResetSession(context.Context) error { return h.r.ask("ResetSession") }

func (h hasIsValid) IsValid() bool { return h.v.called(h.v.id, "IsValid") == nil }

func (h hasChecker) CheckNamedValue(value *driver.NamedValue) error {
	return checked(h.n, "CheckNamedValue", value)
}

// money is what only a driver's own conversion takes.
type money struct{ cents int64 }

// checked takes money, removes the argument "none" and leaves the rest to others.
func checked(c *fakeConn, method string, value *driver.NamedValue) error {
	if err := c.ask(method, value.Value); err != nil {
		return err
	}
	switch v := value.Value.(type) {
	case money:
		value.Value = v.cents
		return nil
	case string:
		if v == "none" {
			return driver.ErrRemoveArgument
		}
	}
	return driver.ErrSkip
}

type connShape = func(*fakeConn) driver.Conn

func plainConn(c *fakeConn) driver.Conn { return c }

// fullConn has every interface that a driver of today has.
func fullConn(c *fakeConn) driver.Conn {
	return struct {
		*fakeConn
		hasPrepareContext
		hasExecContext
		hasQueryContext
		hasPing
		hasBeginTx
		hasReset
		hasIsValid
		hasChecker
	}{c, hasPrepareContext{c}, hasExecContext{c}, hasQueryContext{c}, hasPing{c}, hasBeginTx{c}, hasReset{c}, hasIsValid{c}, hasChecker{c}}
}

// connShapes are drivers with each interface alone, with all but one of those
// that matter to each other, and with all.
var connShapes = map[string]connShape{
	"none": plainConn,
	"all":  fullConn,
	"PrepareContext": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasPrepareContext
		}{c, hasPrepareContext{c}}
	},
	"ExecContext": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasExecContext
		}{c, hasExecContext{c}}
	},
	"Exec": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasExec
		}{c, hasExec{c}}
	},
	"QueryContext": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasQueryContext
		}{c, hasQueryContext{c}}
	},
	"Query": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasQuery
		}{c, hasQuery{c}}
	},
	"Exec Query": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasExec
			hasQuery
		}{c, hasExec{c}, hasQuery{c}}
	},
	"Ping": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasPing
		}{c, hasPing{c}}
	},
	"BeginTx": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasBeginTx
		}{c, hasBeginTx{c}}
	},
	"Reset": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasReset
		}{c, hasReset{c}}
	},
	"IsValid": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasIsValid
		}{c, hasIsValid{c}}
	},
	"Reset IsValid": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasReset
			hasIsValid
		}{c, hasReset{c}, hasIsValid{c}}
	},
	"Exec Reset IsValid": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasExecContext
			hasReset
			hasIsValid
		}{c, hasExecContext{c}, hasReset{c}, hasIsValid{c}}
	},
	"Query Reset IsValid": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasQueryContext
			hasReset
			hasIsValid
		}{c, hasQueryContext{c}, hasReset{c}, hasIsValid{c}}
	},
	"Exec Query Reset": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasExecContext
			hasQueryContext
			hasReset
		}{c, hasExecContext{c}, hasQueryContext{c}, hasReset{c}}
	},
	"Checker": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasChecker
		}{c, hasChecker{c}}
	},
	"Exec Query Checker": func(c *fakeConn) driver.Conn {
		return struct {
			*fakeConn
			hasExecContext
			hasQueryContext
			hasChecker
		}{c, hasExecContext{c}, hasQueryContext{c}, hasChecker{c}}
	},
}

// What a statement may or may not have.
type (
	stmtExecContext  struct{ ec *fakeStmt }
	stmtQueryContext struct{ qc *fakeStmt }
	stmtChecker      struct{ n *fakeStmt }
	stmtColumns      struct{ cc *fakeStmt }
)

func (h stmtExecContext) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return h.ec.c.run("Stmt.ExecContext", h.ec.name(), args)
}

func (h stmtQueryContext) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return h.qc.c.read("Stmt.QueryContext", h.qc.name(), args)
}

func (h stmtChecker) CheckNamedValue(value *driver.NamedValue) error {
	return checked(h.n.c, "Stmt.CheckNamedValue", value)
}

func (h stmtColumns) ColumnConverter(index int) driver.ValueConverter { return column{h.cc, index} }

type column struct {
	s     *fakeStmt
	index int
}

// ConvertValue takes money, as tenths of a cent.
func (c column) ConvertValue(value any) (driver.Value, error) {
	if err := c.s.c.ask("ColumnConverter", c.index, value); err != nil {
		return nil, err
	}
	if m, ok := value.(money); ok {
		return m.cents * 10, nil
	}
	return driver.DefaultParameterConverter.ConvertValue(value)
}

type stmtShape = func(*fakeStmt) driver.Stmt

func plainStmt(s *fakeStmt) driver.Stmt { return s }

var stmtShapes = map[string]stmtShape{
	"none": plainStmt,
	"ExecContext": func(s *fakeStmt) driver.Stmt {
		return struct {
			*fakeStmt
			stmtExecContext
		}{s, stmtExecContext{s}}
	},
	"QueryContext": func(s *fakeStmt) driver.Stmt {
		return struct {
			*fakeStmt
			stmtQueryContext
		}{s, stmtQueryContext{s}}
	},
	"Checker": func(s *fakeStmt) driver.Stmt {
		return struct {
			*fakeStmt
			stmtChecker
		}{s, stmtChecker{s}}
	},
	"Columns": func(s *fakeStmt) driver.Stmt {
		return struct {
			*fakeStmt
			stmtColumns
		}{s, stmtColumns{s}}
	},
	"Checker Columns": func(s *fakeStmt) driver.Stmt {
		return struct {
			*fakeStmt
			stmtChecker
			stmtColumns
		}{s, stmtChecker{s}, stmtColumns{s}}
	},
	"all": func(s *fakeStmt) driver.Stmt {
		return struct {
			*fakeStmt
			stmtExecContext
			stmtQueryContext
			stmtChecker
			stmtColumns
		}{s, stmtExecContext{s}, stmtQueryContext{s}, stmtChecker{s}, stmtColumns{s}}
	},
}

// What rows may or may not have.
type (
	rowsSets  struct{ sets *fakeRows }
	rowsTypes struct{}
)

// HasNextResultSet promises a second result, once.
func (h rowsSets) HasNextResultSet() bool { return h.sets.left >= 0 }

func (h rowsSets) NextResultSet() error {
	if err := h.sets.c.ask("NextResultSet"); err != nil {
		return err
	}
	if h.sets.left < 0 {
		return io.EOF
	}
	h.sets.left = -1
	return nil
}

func (rowsTypes) ColumnTypeScanType(int) reflect.Type        { return reflect.TypeFor[int64]() }
func (rowsTypes) ColumnTypeDatabaseTypeName(int) string      { return "NUMBER" }
func (rowsTypes) ColumnTypeLength(int) (int64, bool)         { return math.MaxInt64, true }
func (rowsTypes) ColumnTypeNullable(int) (nullable, ok bool) { return true, true }
func (rowsTypes) ColumnTypePrecisionScale(int) (precision, scale int64, ok bool) {
	return 38, 4, true
}

type rowsShape = func(*fakeRows) driver.Rows

func plainRows(r *fakeRows) driver.Rows { return r }

// twoResults has a second, empty result.
type twoResults struct {
	*fakeRows
	rowsSets
}

func (r twoResults) Next(row []driver.Value) error {
	if r.fakeRows.left < 0 {
		return io.EOF
	}
	return r.fakeRows.Next(row)
}

var rowsShapes = map[string]rowsShape{
	"none": plainRows,
	"Sets": func(r *fakeRows) driver.Rows { return twoResults{r, rowsSets{r}} },
	"Types": func(r *fakeRows) driver.Rows {
		return struct {
			*fakeRows
			rowsTypes
		}{r, rowsTypes{}}
	},
	"all": func(r *fakeRows) driver.Rows {
		return struct {
			twoResults
			rowsTypes
		}{twoResults{r, rowsSets{r}}, rowsTypes{}}
	},
}

var errFake = errors.New("no such thing")
