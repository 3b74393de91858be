package callers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModuleIsReadOffThisPackage(t *testing.T) {
	require.Equal(t, "github.com/connpool/connpool", module)
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

		{"database/sql.(*DB).conn", "/go/src/database/sql/sql.go", inPool},
		{"database/sql/driver.Bool.ConvertValue", "/go/src/database/sql/driver/types.go", outside},

		{module + ".TestAcquire", "/src/cancel_test.go", outside},
		{module + ".TestAcquire.func1.2", "/src/cancel_test.go", outside},
		{module + ".BenchmarkAcquire", "/src/bench_test.go", outside},
		{module + ".ExamplePool", module + "/example_test.go", outside},
		{module + "_test.ExamplePool", "/src/example_test.go", outside},
		{module + "/pgxconn.TestQuery", "/src/pgxconn/pool_test.go", outside},
		{module + "/examples/web/store.Load", "/src/examples/web/store/store.go", outside},
		{module + "/bench.run", "/src/bench/run.go", outside},
		{module + "/pgxconnected.Run", "/src/pgxconnected/run.go", outside},
		{module + "ing.Run", "/src/run.go", outside},
		{"main.main", "/src/examples/web/main.go", outside},
		{"main.(*Server).handle", "/src/pool.go", outside},
		{"runtime/pprof.Do", "/go/src/runtime/pprof/runtime.go", outside},
		{"gopkg.in/yaml%2ev3.Unmarshal", "/src/yaml.go", outside},

		{"runtime.goexit", "/go/src/runtime/asm_amd64.s", inRuntime},
		{"runtime.gopanic", "/go/src/runtime/panic.go", inRuntime},
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
	const o, p, r = uintptr(outside), uintptr(inPool), uintptr(inRuntime)
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
