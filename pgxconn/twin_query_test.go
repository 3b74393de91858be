package pgxconn_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

func TestAQueryIsWhatItIsWithPgxpool(t *testing.T) {
	tellBoth(t, []story{
		{"Exec gives its connection back", func(p *twin) {
			tag, err := p.Exec(p.ctx, "create temp table made as select generate_series(1, 3)")
			p.note(tag, err)
			p.back()
		}},
		{"Exec of what the server refuses gives its connection back", func(p *twin) {
			_, err := p.Exec(p.ctx, "select nonsense")
			p.refused(err)
			p.back()
			p.run("select 1")
			p.back()
		}},
		{"Exec that its context ends costs the connection", func(p *twin) {
			p.cutShort(func(ctx context.Context) error {
				_, err := p.Exec(ctx, "select pg_sleep(3600)")
				return err
			})
			p.gone()
		}},
		{"Ping gives its connection back", func(p *twin) {
			p.must(p.Ping(p.ctx))
			p.back()
		}},
		{"rows give their connection back when they have been read", func(p *twin) {
			rows := p.rows("select n, 'n' || n from generate_series(1, 3) n")
			for rows.Next() {
				var n int
				var name string
				p.must(rows.Scan(&n, &name))
				p.note(n, name, rows.RawValues(), rows.FieldDescriptions())
				require.NotNil(p, rows.Conn())
				require.NotNil(p, rows.TypeMap())
				p.held(1)
			}
			p.back()
			p.note(rows.Err(), rows.CommandTag(), rows.Next())
			rows.Close()
			p.back()
		}},
		{"rows give their connection back when they are closed", func(p *twin) {
			rows := p.rows("select generate_series(1, 100000)")
			p.note(rows.Next())
			rows.Close()
			p.back()
			p.note(rows.Err(), rows.Next(), rows.CommandTag())
			rows.Close()
			p.back()
		}},
		{"rows give their connection back when the server breaks off", func(p *twin) {
			rows := p.rows("select 1 / (3 - n) from generate_series(1, 3) n")
			for rows.Next() {
				p.held(1)
			}
			p.back()
			p.refused(rows.Err())
		}},
		{"rows give their connection back when one cannot be scanned", func(p *twin) {
			rows := p.rows("select 'x' from generate_series(1, 1000)")
			p.note(rows.Next())
			var n int
			p.refused(rows.Scan(&n))
			p.back()
			p.note(rows.Next(), rows.Err())
			p.refused(rows.Scan(&n))
		}},
		{"rows give their connection back when values cannot be read", func(p *twin) {
			rows := p.rows("select n from generate_series(1, 1000) n")
			rows.TypeMap().RegisterType(&pgtype.Type{Name: "int4", OID: pgtype.Int4OID, Codec: unreadable{}})
			p.note(rows.Next())
			_, err := rows.Values()
			p.refused(err)
			p.back()
			p.note(rows.Next(), rows.Err())
		}},
		{"rows of a query that its context ends cost the connection", func(p *twin) {
			p.cutShort(func(ctx context.Context) error {
				rows, _ := p.Query(ctx, "select pg_sleep(n) from generate_series(0, 3600, 3600) n")
				for rows.Next() {
				}
				return rows.Err()
			})
			p.gone()
		}},
		{"rows of a query that is refused say so", func(p *twin) {
			rows, err := p.Query(p.ctx, "select nonsense")
			p.refused(err)
			p.back()
			rows.Close()
			values, valuesErr := rows.Values()
			p.note(rows.Err(), rows.Next(), rows.Scan(nil), values, valuesErr, rows.CommandTag(), rows.FieldDescriptions(),
				rows.RawValues(), rows.Conn(), rows.TypeMap())
		}},
		{"a row gives its connection back when it is scanned", func(p *twin) {
			row := p.QueryRow(p.ctx, "select 1 from generate_series(1, 1000)")
			p.held(1)
			var n int
			p.must(row.Scan(&n))
			p.back()
			p.note(n, row.Scan(&n))
			p.back()
		}},
		{"a row gives its connection back when it cannot be scanned", func(p *twin) {
			var n int
			row := p.QueryRow(p.ctx, "select 'x'")
			p.refused(row.Scan(&n))
			p.back()
			p.refused(row.Scan(&n))
			p.refused(p.QueryRow(p.ctx, "select 1, 2").Scan(&n))
			p.back()
		}},
		{"a row that there is not gives its connection back", func(p *twin) {
			row := p.QueryRow(p.ctx, "select 1 where false")
			p.held(1)
			require.ErrorIs(p, row.Scan(new(int)), pgx.ErrNoRows)
			p.back()
		}},
		{"a row of a query that is refused says so when it is scanned", func(p *twin) {
			row := p.QueryRow(p.ctx, "select nonsense")
			p.held(1)
			p.refused(row.Scan(new(int)))
			p.back()
		}},
		{"an empty statement, which has no rows, gives its connection back", func(p *twin) {
			tag, err := p.Exec(p.ctx, "")
			p.note(tag, err)
			p.back()
			rows, err := p.Query(p.ctx, "")
			p.must(err)
			p.note(rows.Next(), rows.Err())
			rows.Close()
			p.back()
			p.refused(p.QueryRow(p.ctx, "").Scan(new(int)))
			p.back()
		}},
		{"each of pgx's ways to make a query is understood", func(p *twin) {
			for _, mode := range modes {
				rows, err := p.Query(p.ctx, "select $1::int + 1", mode, 41)
				p.must(err)
				n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
				p.note(mode, n, err)
				p.back()
			}
		}},
		{"arguments by name are understood, and a rewriter may refuse", func(p *twin) {
			p.note(ask[int](p, p, "select @a::int - @b::int", pgx.NamedArgs{"a": 5, "b": 2}))
			_, err := p.Exec(p.ctx, "select @a", rewriter{errWork})
			p.refused(err)
			p.refused(p.QueryRow(p.ctx, "select @a", rewriter{errWork}).Scan(new(int)))
			_, err = p.Query(p.ctx, "select @a", rewriter{errWork})
			p.refused(err)
			p.back()
		}},
		{"pgx's collectors give the connection back, whatever comes of them", collect},
		{"pgx.ForEachRow gives the connection back, whatever comes of it", forEachRow},
		{"what a context has ended before it began takes no connection", func(p *twin) {
			for name, err := range everything(p, expired()) {
				require.ErrorIs(p, err, context.Canceled, name)
				p.held(0)
			}
			require.Zero(p, p.stat().AcquireCount())
		}},
	})
}

var (
	errWork = errors.New("the work has failed")
	modes   = []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	}
)

// unreadable is a codec whose values cannot be read.
type unreadable struct{ pgtype.Int4Codec }

func (unreadable) DecodeValue(*pgtype.Map, uint32, int16, []byte) (any, error) { return nil, errWork }

// rewriter refuses to rewrite queries.
type rewriter struct{ err error }

func (r rewriter) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	return "", nil, r.err
}

type person struct {
	ID   int
	Name string
	Age  *int
}

const people = "select id, 'name ' || id as name, nullif(id, 2) as age from generate_series(1, 3) id"

func collect(p *twin) {
	list, err := pgx.CollectRows(p.rows(people), pgx.RowToStructByName[person])
	require.Equal(p, person{ID: 2, Name: "name 2"}, list[1])
	p.note(len(list), err)
	p.back()
	pointers, err := pgx.CollectRows(p.rows(people), pgx.RowToAddrOfStructByPos[person])
	p.note(*pointers[0].Age, err)
	p.back()
	maps, err := pgx.CollectRows(p.rows(people), pgx.RowToMap)
	p.note(maps, err)
	p.back()
	first, err := pgx.CollectOneRow(p.rows("select generate_series(1, 1000)"), pgx.RowTo[int])
	p.note(first, err)
	p.back()
	_, err = pgx.CollectOneRow(p.rows("select 1 where false"), pgx.RowTo[int])
	require.ErrorIs(p, err, pgx.ErrNoRows)
	p.back()
	_, err = pgx.CollectExactlyOneRow(p.rows("select generate_series(1, 1000)"), pgx.RowTo[int])
	require.ErrorIs(p, err, pgx.ErrTooManyRows)
	p.back()
	_, err = pgx.CollectRows(p.rows("select 'x' from generate_series(1, 1000)"), pgx.RowTo[int])
	p.refused(err)
	p.back()
	_, err = pgx.CollectRows(p.rows(people), func(pgx.CollectableRow) (int, error) { return 0, errWork })
	require.ErrorIs(p, err, errWork)
	p.back()
	rows, _ := p.Query(p.ctx, "select nonsense")
	_, err = pgx.CollectRows(rows, pgx.RowTo[int])
	p.refused(err)
	p.back()
}

func forEachRow(p *twin) {
	var n, sum int
	tag, err := pgx.ForEachRow(p.rows("select generate_series(1, 3)"), []any{&n}, func() error {
		p.held(1)
		sum += n
		return nil
	})
	p.note(sum, tag, err)
	p.back()
	_, err = pgx.ForEachRow(p.rows("select generate_series(1, 1000)"), []any{&n}, func() error { return errWork })
	require.ErrorIs(p, err, errWork)
	p.back()
	_, err = pgx.ForEachRow(p.rows("select 'x'"), []any{&n}, func() error { return nil })
	p.refused(err)
	p.back()
}

// everything returns what comes of each thing that a pool can be asked to do.
func everything(p *twin, ctx context.Context) map[string]error {
	all := map[string]error{}
	_, all["Exec"] = p.Exec(ctx, "select 1")
	_, all["Query"] = p.Query(ctx, "select 1")
	rows, _ := p.Query(ctx, "select 1")
	all["Rows.Err"] = rows.Err()
	all["Row.Scan"] = p.QueryRow(ctx, "select 1").Scan(new(int))
	_, all["Begin"] = p.Begin(ctx)
	_, all["BeginTx"] = p.BeginTx(ctx, pgx.TxOptions{})
	all["BatchResults.Close"] = p.SendBatch(ctx, batch("select 1")).Close()
	_, all["BatchResults.Exec"] = p.SendBatch(ctx, batch("select 1")).Exec()
	_, all["CopyFrom"] = p.CopyFrom(ctx, pgx.Identifier{"kept"}, []string{"n"}, pgx.CopyFromRows(nil))
	all["Ping"] = p.Ping(ctx)
	_, all["Acquire"] = p.acquire(ctx)
	all["AcquireFunc"] = p.acquireFunc(ctx, func(conn) error { panic("it was called") })
	all["BeginFunc"] = pgx.BeginFunc(ctx, p, func(pgx.Tx) error { panic("it was called") })
	return all
}

func batch(statements ...string) *pgx.Batch {
	b := &pgx.Batch{}
	for _, s := range statements {
		b.Queue(s)
	}
	return b
}
