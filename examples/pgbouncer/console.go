package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// console is PgBouncer's, a database of its own that answers SHOW.
type console struct {
	conn     *pgx.Conn
	database string // the one that we are interested in
}

// openConsole connects to the console, to look at the database of another URL.
func openConsole(ctx context.Context, url, of string) (*console, error) {
	config, err := pgx.ParseConfig(of)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	return &console{conn, config.Database}, nil
}

// show returns a table: for each row, its fields by the name of their column.
// Which columns there are depends on the version.
func (c *console) show(ctx context.Context, what string) (table []map[string]string, err error) {
	rows, err := c.conn.Query(ctx, "show "+what)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		row := map[string]string{}
		for i, field := range rows.RawValues() {
			row[rows.FieldDescriptions()[i].Name] = string(field)
		}
		table = append(table, row)
	}
	return table, rows.Err()
}

// ask returns PgBouncer's version, and how many prepared statements it tracks on
// each server connection: none, if it cannot.
func (c *console) ask(ctx context.Context) (version string, tracked int64, err error) {
	if err := c.conn.QueryRow(ctx, "show version").Scan(&version); err != nil {
		return "", 0, err
	}
	config, err := c.show(ctx, "config")
	if err != nil {
		return "", 0, err
	}
	for _, setting := range config {
		if setting["key"] == "max_prepared_statements" {
			tracked, err = strconv.ParseInt(setting["value"], 10, 64)
		}
	}
	return version, tracked, err
}

// sum adds up columns of a table, over the rows of our database.
func (c *console) sum(ctx context.Context, table string, columns ...string) (sums []int64, err error) {
	rows, err := c.show(ctx, table)
	if err != nil {
		return nil, err
	}
	sums = make([]int64, len(columns))
	for _, row := range rows {
		if row["database"] != c.database {
			continue
		}
		for i, column := range columns {
			n, err := strconv.ParseInt(row[column], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("column %s of PgBouncer's SHOW %s: %w", column, table, err)
			}
			sums[i] += n
		}
	}
	return sums, nil
}

// pids returns PostgreSQL's processes that PgBouncer is connected to.
func (c *console) pids(ctx context.Context) (pids []string, err error) {
	rows, err := c.show(ctx, "servers")
	for _, row := range rows {
		if row["database"] == c.database {
			pids = append(pids, row["remote_pid"])
		}
	}
	return pids, err
}
