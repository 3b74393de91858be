package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/sqlconn"
)

type (
	config = connpool.Config[driver.Conn]
	pool   = connpool.Pool[driver.Conn]
)

// connector opens a database file; the driver has none of its own.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return new(sqlite.Driver) }

// openSQLite returns sqlx over this package's handle over SQLite.
func openSQLite(t *testing.T, size int) (*sqlx.DB, *pool) {
	file := filepath.Join(t.TempDir(), "test.db")
	dsn := "file:" + file + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_txlock=immediate"
	db, pool, err := sqlconn.Open(connector{dsn}, config{MaxSize: size}, sqlconn.Options{StatementCache: 8})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return sqlx.NewDb(db, "sqlite"), pool
}

type person struct {
	ID   int    `db:"id"`
	Name string `db:"name"`
	Age  *int   `db:"age"`
}

func TestSqlxNamedQueriesStructsAndIn(t *testing.T) {
	db, pool := openSQLite(t, 4)
	db.MustExec(`create table people (id integer primary key, name text not null, age int)`)
	forty := 40
	for _, p := range []person{{Name: "Ada", Age: &forty}, {Name: "Grace"}, {Name: "Edsger"}} {
		_, err := db.NamedExec(`insert into people (name, age) values (:name, :age)`, p)
		require.NoError(t, err)
	}
	var ada person
	require.NoError(t, db.Get(&ada, `select * from people where name = ?`, "Ada"))
	require.Equal(t, person{1, "Ada", &forty}, ada)
	query, args, err := sqlx.In(`select * from people where name in (?) order by id`, []string{"Ada", "Edsger"})
	require.NoError(t, err)
	var some []person
	require.NoError(t, db.Select(&some, db.Rebind(query), args...))
	require.Len(t, some, 2)
	require.Nil(t, some[1].Age)
	require.ErrorIs(t, db.Get(&ada, `select * from people where name = ?`, "Nobody"), sql.ErrNoRows)
	require.Zero(t, pool.Stats().InUse)
	require.Equal(t, uint64(1), pool.Stats().Connects)
}

func TestSqlxTransactionsAndStatements(t *testing.T) {
	db, pool := openSQLite(t, 4)
	db.MustExec(`create table counters (name text primary key, n int not null)`)
	db.MustExec(`insert into counters values ('a', 0)`)
	stmt, err := db.Preparex(`select n from counters where name = ?`)
	require.NoError(t, err)
	var all sync.WaitGroup
	errs := make(chan error, 8*20)
	for range 8 {
		all.Go(func() {
			for range 20 {
				errs <- increment(patient(t), db, stmt)
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	var n int
	require.NoError(t, stmt.Get(&n, "a"))
	require.Equal(t, 160, n)
	require.NoError(t, stmt.Close())
	require.LessOrEqual(t, pool.Stats().Connects, uint64(4))
	require.Zero(t, pool.Stats().InUse)
}

// increment reads and writes in one transaction, with a statement of the handle's
// and one of the transaction's.
func increment(ctx context.Context, db *sqlx.DB, read *sqlx.Stmt) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.Stmtx(read).GetContext(ctx, &n, "a"); err != nil {
		return err
	}
	write, err := tx.PrepareNamedContext(ctx, `update counters set n = :n where name = :name`)
	if err != nil {
		return err
	}
	if _, err := write.ExecContext(ctx, map[string]any{"n": n + 1, "name": "a"}); err != nil {
		return err
	}
	return tx.Commit()
}

func TestSqlxAbandonedWork(t *testing.T) {
	db, pool := openSQLite(t, 1)
	db.MustExec(`create table kept (n int)`)
	tx := db.MustBegin()
	tx.MustExec(`insert into kept values (1)`)
	require.NoError(t, tx.Rollback())
	ending, end := context.WithCancel(patient(t))
	_, err := db.BeginTxx(ending, nil)
	require.NoError(t, err)
	end()
	var n int
	require.NoError(t, db.Get(&n, `select count(*) from kept`), "the only connection came back, or another came")
	require.Zero(t, n)
	rows, err := db.Queryx(`select 1 union select 2`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.Equal(t, 1, pool.Stats().InUse)
	require.NoError(t, rows.Close())
	require.Zero(t, pool.Stats().InUse)
}

// The same statement, its rows still open while it is run again: SQLite itself
// would start it over.
func TestAStatementWhoseRowsAreOpenIsNotRunByAnother(t *testing.T) {
	db, _ := openSQLite(t, 1)
	const query = `with recursive up(n) as (select 1 union all select n + 1 from up where n < 5) select n from up`
	tx := db.MustBegin()
	outer, err := tx.Preparex(query)
	require.NoError(t, err)
	rows, err := outer.Queryx()
	require.NoError(t, err)
	require.NoError(t, outer.Close())
	for want := 1; rows.Next(); want++ {
		var n int
		require.NoError(t, rows.Scan(&n))
		require.Equal(t, want, n)
		inner, err := tx.Preparex(query)
		require.NoError(t, err)
		var all []int
		require.NoError(t, inner.Select(&all))
		require.Equal(t, []int{1, 2, 3, 4, 5}, all)
		require.NoError(t, inner.Close())
	}
	require.NoError(t, rows.Err())
	require.NoError(t, tx.Commit())
}
