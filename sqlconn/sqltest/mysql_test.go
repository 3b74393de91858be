package sqltest

import (
	"context"
	"database/sql"
	"net"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/connpool/connpool/internal/servertest"
	"github.com/connpool/connpool/sqlconn"
)

// openMySQL returns this package's handle over a MariaDB.
func openMySQL(t *testing.T, dsn string, cfg config, edit func(*mysql.Config)) (*sql.DB, *pool) {
	t.Helper()
	login, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	login.Logger = &mysql.NopLogger{}
	if edit != nil {
		edit(login)
	}
	connector, err := mysql.NewConnector(login)
	require.NoError(t, err)
	db, pool, err := sqlconn.Open(connector, cfg, sqlconn.Options{StatementCache: 16})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, pool
}

// watch returns a plain handle of one connection, for looking at a server and
// meddling with it.
func watch(t *testing.T, server *servertest.MariaDB) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Connect("mysql", server.DSN())
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// sessions returns the ids of a server's sessions but for the watcher's.
func sessions(t *testing.T, watcher *sqlx.DB) (ids []int) {
	t.Helper()
	const query = `select id from information_schema.processlist
		where id <> connection_id() and user in ('test', 'plain')`
	require.NoError(t, watcher.Select(&ids, query))
	return ids
}

func TestMySQLOrdinaryUse(t *testing.T) {
	server := servertest.NewMariaDB(t, nil)
	for name, interpolate := range map[string]bool{"prepared by the server": false, "interpolated": true} {
		t.Run(name, func(t *testing.T) {
			db, pool := openMySQL(t, server.DSN(), config{MaxSize: 4}, func(c *mysql.Config) {
				c.InterpolateParams = interpolate
				c.MultiStatements = true
			})
			useMySQL(t, sqlx.NewDb(db, "mysql"))
			require.Zero(t, pool.Stats().InUse)
			require.LessOrEqual(t, pool.Stats().Connects, uint64(4))
			require.Zero(t, pool.Stats().Leaks)
		})
	}
}

func useMySQL(t *testing.T, db *sqlx.DB) {
	db.MustExec(`create or replace table people (id int auto_increment primary key, name varchar(20), age int)`)
	result := db.MustExec(`insert into people (name, age) values (?, ?), (?, null)`, "Ada", 40, "Grace")
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 2, affected)
	var ada person
	require.NoError(t, db.Get(&ada, `select id, name, age from people where name = ?`, "Ada"))
	require.Equal(t, 40, *ada.Age)
	require.ErrorIs(t, db.Get(&ada, `select id, name, age from people where name = ?`, "Nobody"), sql.ErrNoRows)
	useMySQLTransactions(t, db)
	useMySQLResultSets(t, db)
}

// Eight callers on four connections, with a statement of the handle's inside a
// transaction of each.
func useMySQLTransactions(t *testing.T, db *sqlx.DB) {
	db.MustExec(`create or replace table counters (name varchar(20) primary key, n int not null)`)
	db.MustExec(`insert into counters values ('a', 0)`)
	read, err := db.Preparex(`select n from counters where name = ? for update`)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				if err := increment(patient(t), db, read); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, read.Close())
	tx := db.MustBegin()
	tx.MustExec(`update counters set n = 0`)
	require.NoError(t, tx.Rollback())
	var n int
	require.NoError(t, db.Get(&n, `select n from counters where name = 'a'`))
	require.Equal(t, 80, n)
}

func useMySQLResultSets(t *testing.T, db *sqlx.DB) {
	rows, err := db.Query(`select 1; select 2 union select 3; select 4`)
	require.NoError(t, err)
	var sets [][]int
	for more := true; more; more = rows.NextResultSet() {
		var set []int
		for rows.Next() {
			var n int
			require.NoError(t, rows.Scan(&n))
			set = append(set, n)
		}
		sets = append(sets, set)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.Equal(t, [][]int{{1}, {2, 3}, {4}}, sets)
}

func TestGormOverMySQL(t *testing.T) {
	server := servertest.NewMariaDB(t, nil)
	db, pool := openMySQL(t, server.DSN()+"?parseTime=true", config{MaxSize: 4}, nil)
	orm, err := gorm.Open(gormmysql.New(gormmysql.Config{Conn: db, DefaultStringSize: 100}),
		&gorm.Config{PrepareStmt: true, Logger: logger.Discard})
	require.NoError(t, err)
	require.NoError(t, orm.AutoMigrate(&author{}, &book{}))
	useGorm(t, orm)
	require.Zero(t, pool.Stats().InUse)
	require.LessOrEqual(t, pool.Stats().Connects, uint64(4))
}

// holdAll borrows and returns every connection that may be open, so that all are.
func holdAll(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	var conns []*sql.Conn
	for range n {
		conn, err := db.Conn(patient(t))
		require.NoError(t, err)
		require.NoError(t, conn.PingContext(patient(t)))
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
}

// through returns an edit that dials the address that the function names, as a
// name does whose address changes.
func through(addr func() string) func(*mysql.Config) {
	return func(c *mysql.Config) {
		c.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr())
		}
	}
}
