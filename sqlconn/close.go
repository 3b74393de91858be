package sqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
)

// closeConn closes the driver's connection. After a query that its context cut
// short, a driver may close the connection in the background, once it has cancelled
// the query at the server. Where the driver tells when that is over, it is waited
// for: until then the server has a session more than the pool knows of.
func closeConn(ctx context.Context, c driver.Conn) error {
	done := cleanupDone(c)
	err := c.Close()
	if done == nil {
		return err
	}
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// cleanupDone returns the channel that pgx closes when a connection of its stdlib
// driver is truly closed, or nil. It is found by its methods' names, so that
// programs with other drivers need not be built with pgx.
func cleanupDone(c driver.Conn) chan struct{} {
	var v any = c
	for _, name := range []string{"Conn", "PgConn", "CleanupDone"} {
		var ok bool
		if v, ok = call(reflect.ValueOf(v), name); !ok {
			return nil
		}
	}
	done, _ := v.(chan struct{})
	return done
}

// call calls a method that takes nothing and returns one value, if there is such.
func call(v reflect.Value, name string) (result any, ok bool) {
	m := v.MethodByName(name)
	if !m.IsValid() || m.Type().NumIn() != 0 || m.Type().NumOut() != 1 {
		return nil, false
	}
	result = m.Call(nil)[0].Interface()
	return result, result != nil
}
