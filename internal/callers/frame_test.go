package callers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModuleIsReadOffThisPackage(t *testing.T) {
	require.Equal(t, "github.com/connpool/connpool", module)
}

// goSrc is where the standard library's source was when this test was built.
var goSrc = library

func TestPackagesOfAModule(t *testing.T) {
	for _, c := range []struct {
		pkg, module string
		want        bool
	}{
		{"example.com/shop", "example.com/shop", true},
		{"example.com/shop_test", "example.com/shop", true},
		{"example.com/shop/orders", "example.com/shop", true},
		{"example.com/shop/v2/orders", "example.com/shop/v2", true},
		{"example.com/shopping", "example.com/shop", false},
		{"example.com/other", "example.com/shop", false},
		{"example.com/shop", "", false},
	} {
		require.Equal(t, c.want, within(c.pkg, c.module), c)
	}
	require.Equal(t, module, program.Path, "in a test the main module is the one under test")
}

func TestAFunctionLiteralOfALibraryIsTheLibrarys(t *testing.T) {
	for _, c := range []struct {
		file, version string
		want          bool
	}{
		{"/home/x/shop/bank.go", "(devel)", false},
		{"/home/x/shop/bank.go", "", false},
		{"example.com/shop/bank.go", "v0.0.0-20260101000000-abcdef012345", false}, // -trimpath
		{"/root/go/pkg/mod/gorm.io/gorm@v1.25.0/callbacks/query.go", "(devel)", true},
		{"gorm.io/gorm@v1.25.0/callbacks/query.go", "(devel)", true},
		{"/home/x/shop/vendor/gorm.io/gorm/callbacks/query.go", "(devel)", true},
		{"/root/go/pkg/mod/example.com/shop@v1.2.3/bank.go", "v1.2.3", false}, // go install
		{goSrc + "sync/oncefunc.go", "(devel)", goSrc != ""},
	} {
		require.Equal(t, c.want, foreign(c.file, c.version), c.file)
	}
}

func TestSideOfAFrame(t *testing.T) {
	for _, c := range []struct {
		function, file string
		want           side
	}{
		{module + ".(*Pool[...]).Acquire", "/src/pool.go", inPool},
		{module + ".(*Pool[...]).Do.func1", "/src/pool.go", inPool},
		{module + ".Lease[...].Conn", "/src/lease.go", inPool},
		{module + ".wait", module + "/pool.go", inPool}, // built with -trimpath
		{module + "/internal/waitq.(*Queue).Join", "/src/internal/waitq/waitq.go", inPool},
		{module + "/pgxconn.(*Pool).Query", "/src/pgxconn/pool.go", inPool},
		{module + "/sqlconn.Open", "/src/sqlconn/sqlconn.go", inPool},
		{module + "/netconn.Dial", "/src/netconn/netconn.go", inPool},
		{module + "/keyed.(*Pools[...]).Acquire", "/src/keyed/keyed.go", inPool},

		{"database/sql.(*DB).conn", goSrc + "database/sql/sql.go", inPool},
		{"database/sql/driver.Bool.ConvertValue", goSrc + "database/sql/driver/types.go", inStandard},

		{module + ".TestAcquire", "/src/cancel_test.go", inProgram},
		{module + ".TestAcquire.func1.2", "/src/cancel_test.go", inProgram},
		{module + ".BenchmarkAcquire", "/src/bench_test.go", inProgram},
		{module + ".ExamplePool", module + "/example_test.go", inProgram},
		{module + "_test.ExamplePool", "/src/example_test.go", inProgram},
		{module + "/pgxconn.TestQuery", "/src/pgxconn/pool_test.go", inProgram},
		{module + "/examples/web/store.Load", "/src/examples/web/store/store.go", inProgram},
		{module + "/bench.run", "/src/bench/run.go", inProgram},
		{module + "/pgxconnected.Run", "/src/pgxconnected/run.go", inProgram},
		{module + "ing.Run", "/src/run.go", inLibrary},
		{"main.main.OnceFunc.func1", "/root/go/pkg/mod/example.com/once@v1.0.0/once.go", inLibrary},
		{"main.main", "/src/examples/web/main.go", inProgram},
		{"main.(*Server).handle", "/src/pool.go", inProgram},
		{"runtime/pprof.Do", goSrc + "runtime/pprof/runtime.go", inStandard},
		{"gorm.io/gorm/callbacks.Query", "/mod/gorm.io/gorm@v1.25.0/callbacks/query.go", inLibrary},
		{"gorm.io/gorm/callbacks.Query", "/src/vendor/gorm.io/gorm/callbacks/query.go", inLibrary},
		{"vendor/golang.org/x/net/http2/hpack.Encode", goSrc + "vendor/golang.org/x/net/http2/hpack/encode.go", inStandard},
		{"net/http.(*conn).serve", goSrc + "net/http/server.go", inStandard},
		{"shop/orders.Load", "/src/shop/orders/load.go", inLibrary}, // no dot, and not the standard library
		{"gopkg.in/yaml%2ev3.Unmarshal", "/src/yaml.go", inLibrary},

		{"runtime.goexit", goSrc + "runtime/asm_amd64.s", inRuntime},
		{"runtime.gopanic", goSrc + "runtime/panic.go", inRuntime},
		{"", "", inRuntime},
	} {
		require.Equal(t, c.want, sideOf(c.function, c.file), c.function)
	}
}

func TestFrameInOneLine(t *testing.T) {
	for function, want := range map[string]string{
		"main.handleUpload":                         "main.handleUpload (upload.go:88)",
		"main.(*Server).handle":                     "main.(*Server).handle (upload.go:88)",
		"main.run.func1":                            "main.run.func1 (upload.go:88)",
		"example.com/shop/orders.Map[...].func1":    "orders.Map[...].func1 (upload.go:88)",
		"gopkg.in/yaml%2ev3.(*Decoder).Decode":      "yaml.v3.(*Decoder).Decode (upload.go:88)",
		"example.com/a.b/orders.(*Queue[...]).Take": "orders.(*Queue[...]).Take (upload.go:88)",
	} {
		require.Equal(t, want, frame{function: function, file: "/home/x/upload.go", line: 88}.short())
	}
}

func TestSiteOfAStack(t *testing.T) {
	sides := func(pc uintptr) frame { return frame{side: side(pc)} }
	const o, p, r = uintptr(inLibrary), uintptr(inPool), uintptr(inRuntime)
	for _, c := range []struct {
		name string
		pcs  []uintptr
		want int
	}{
		{"nothing", nil, -1},
		{"runtime only", []uintptr{r, r}, -1},
		{"user only", []uintptr{o, o, r}, 0},
		{"pool, then user", []uintptr{p, p, o, o, r}, 2},
		{"a panic between", []uintptr{p, r, o, p, o, r}, 2},
		{"pool only", []uintptr{p, p, p, r}, 2},
	} {
		require.Equal(t, c.want, site(c.pcs, sides), c.name)
	}
}

func TestFault75_ABorrowerIsTheFirstFrameOfTheProgram(t *testing.T) {
	sides := func(pc uintptr) frame { return frame{side: side(pc)} }
	const m, l, s, p, r = uintptr(inProgram), uintptr(inLibrary), uintptr(inStandard), uintptr(inPool), uintptr(inRuntime)
	for _, c := range []struct {
		name string
		pcs  []uintptr
		want int
	}{
		{"the program itself", []uintptr{m, m, r}, 0},
		{"behind a helper", []uintptr{l, l, m, m, s, r}, 2},
		{"behind the standard library", []uintptr{s, s, l, m, r}, 3},
		{"a library's own goroutine", []uintptr{l, l, r}, 0},
		{"a library behind the standard one", []uintptr{s, s, l, s, r}, 2},
		{"a service in another module of the same company", []uintptr{l, s, s, r}, 0},
		{"the standard library alone", []uintptr{s, s, r}, 0},
		{"within another lease's work", []uintptr{l, m, p, m, r}, 1},
		{"the pool alone", []uintptr{p, r}, 0},
	} {
		require.Equal(t, c.want, blamed(c.pcs, sides), c.name)
	}
}
