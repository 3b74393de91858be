// Package sqltest runs sqlconn under what people really use it with: an embedded
// database, a query library and an ORM. It is a module of its own, so that none
// of them weighs on the pool's.
package sqltest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// GORM's PrepareStmt has a goroutine that nothing ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// patient returns a context for what must not hang.
func patient(t testing.TB) context.Context {
	ctx, end := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(end)
	return ctx
}
