package sqlconn

import (
	"database/sql/driver"
	"fmt"
)

// database/sql converts the arguments of a query before it runs it. That takes the
// driver's connection, and there is no context to borrow one with. So conn and stmt
// take every argument as it comes, and have it converted here when there is a
// connection, in the way of database/sql.

// CheckNamedValue takes every argument.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// CheckNamedValue takes every argument.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

// NumInput is unknown to database/sql: arguments are counted when they are converted.
func (s *stmt) NumInput() int { return -1 }

// converter converts arguments for a driver.
type converter struct {
	checker driver.NamedValueChecker // or nil
	columns driver.ColumnConverter   // or nil
	want    int                      // how many there must be; -1 if that is not known
}

// convert converts the arguments of a query, or, if there is one, of a statement.
// What the argument's own methods return is no word about the connection.
func (c *conn) convert(s driver.Stmt, args []driver.NamedValue) ([]driver.NamedValue, error) {
	err := c.guarded(func() (err error) {
		args, err = converterOf(c.Conn, s).convert(args)
		return err
	})
	return args, err
}

func converterOf(c driver.Conn, s driver.Stmt) converter {
	v := converter{want: -1}
	v.checker, _ = s.(driver.NamedValueChecker)
	v.columns, _ = s.(driver.ColumnConverter)
	if v.checker == nil {
		v.checker, _ = c.(driver.NamedValueChecker)
	}
	if s != nil {
		v.want = s.NumInput()
	}
	return v
}

func (v converter) convert(args []driver.NamedValue) ([]driver.NamedValue, error) {
	n := 0
	for _, arg := range args {
		args[n] = driver.NamedValue{Name: arg.Name, Ordinal: n + 1, Value: arg.Value}
		switch err := v.one(&args[n]); err {
		case nil:
			n++
		case driver.ErrRemoveArgument:
		default:
			return nil, fmt.Errorf("sql: converting argument %s type: %w", described(args[n]), err)
		}
	}
	if v.want >= 0 && v.want != n {
		return nil, fmt.Errorf("sql: expected %d arguments, got %d", v.want, n)
	}
	return args[:n], nil
}

// one asks the driver's checker, then the statement's column, then the default.
func (v converter) one(arg *driver.NamedValue) error {
	err := driver.ErrSkip
	if v.checker != nil {
		err = v.checker.CheckNamedValue(arg)
	}
	if err == driver.ErrSkip && v.columns != nil {
		err = v.column(arg)
	}
	if err == driver.ErrSkip {
		arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
	}
	return err
}

// column has the statement convert the argument of a column, if it has that column.
func (v converter) column(arg *driver.NamedValue) (err error) {
	index := arg.Ordinal - 1
	if v.want >= 0 && v.want <= index {
		return nil
	}
	if _, ok := arg.Value.(driver.Valuer); ok {
		arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
		if err != nil {
			return err
		}
	}
	before := arg.Value
	arg.Value, err = v.columns.ColumnConverter(index).ConvertValue(before)
	if err == nil && !driver.IsValue(arg.Value) {
		return fmt.Errorf("driver ColumnConverter error converted %T to unsupported type %T",
			before, arg.Value)
	}
	return err
}

func described(arg driver.NamedValue) string {
	if arg.Name == "" {
		return fmt.Sprintf("$%d", arg.Ordinal)
	}
	return fmt.Sprintf("with name %q", arg.Name)
}
