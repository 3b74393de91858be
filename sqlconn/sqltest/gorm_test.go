package sqltest

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/connpool/connpool/internal/pgtest"
	"github.com/connpool/connpool/sqlconn"
)

type author struct {
	ID    uint
	Name  string `gorm:"uniqueIndex"`
	Books []book
}

type book struct {
	ID       uint
	Title    string
	AuthorID uint
}

// openGorm returns GORM over this package's handle over PostgreSQL.
func openGorm(t *testing.T, prepare bool) (*gorm.DB, *pool) {
	server := pgtest.New(t, pgtest.Options{})
	login, err := pgx.ParseConfig(server.DSN())
	require.NoError(t, err)
	db, pool, err := sqlconn.Open(stdlib.GetConnector(*login), config{MaxSize: 4}, sqlconn.Options{StatementCache: 32})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	orm, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{PrepareStmt: prepare, Logger: logger.Discard})
	require.NoError(t, err)
	require.NoError(t, orm.AutoMigrate(&author{}, &book{}))
	return orm, pool
}

func TestGormOrdinaryUse(t *testing.T) {
	for name, prepare := range map[string]bool{"as it comes": false, "with PrepareStmt": true} {
		t.Run(name, func(t *testing.T) {
			orm, pool := openGorm(t, prepare)
			useGorm(t, orm)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 10 {
						var n int64
						if err := orm.Model(&book{}).Where("title <> ?", "none").Count(&n).Error; err != nil || n != 2 {
							t.Error(n, err)
						}
					}
				})
			}
			all.Wait()
			require.Zero(t, pool.Stats().InUse)
			require.LessOrEqual(t, pool.Stats().Connects, uint64(4))
		})
	}
}

func useGorm(t *testing.T, orm *gorm.DB) {
	require.NoError(t, orm.Create(&author{Name: "Ada", Books: []book{{Title: "Notes"}, {Title: "Letters"}}}).Error)
	var ada author
	require.NoError(t, orm.Preload("Books").First(&ada, "name = ?", "Ada").Error)
	require.Len(t, ada.Books, 2)
	require.NoError(t, orm.Model(&ada).Update("name", "Ada L.").Error)
	require.ErrorIs(t, orm.First(&author{}, "name = ?", "Ada").Error, gorm.ErrRecordNotFound)

	undo := errors.New("undo")
	require.ErrorIs(t, orm.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, tx.Create(&author{Name: "Grace"}).Error)
		require.Error(t, tx.Transaction(func(tx *gorm.DB) error { return tx.Create(&author{Name: "Grace"}).Error }), "a savepoint, and a name taken")
		return undo
	}), undo)
	var n int64
	require.NoError(t, orm.Model(&author{}).Count(&n).Error)
	require.Equal(t, int64(1), n)
}

// What GORM's manual tells everybody to set lets database/sql keep connections
// idle itself: of no use here, but not wrong either.
func TestGormWithIdleConnectionsOfDatabaseSQL(t *testing.T) {
	orm, pool := openGorm(t, false)
	db, err := orm.DB()
	require.NoError(t, err)
	db.SetMaxIdleConns(2)
	db.SetMaxOpenConns(3)
	useGorm(t, orm)
	require.LessOrEqual(t, pool.Stats().InUse, 2)
}
