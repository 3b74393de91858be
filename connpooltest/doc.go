// Package connpooltest is for those who write a factory for connpool and want to
// know whether it keeps what the pool relies on, and whether their service
// survives when it does not.
//
//	func TestOurFactory(t *testing.T) {
//		connpooltest.TestConfig(t, ordersConfig(addr))
//	}
//
// TestConfig tries the callbacks of a Config one by one against a server that
// works, and says of each fault what it is, why the pool cares and what to do.
// Faults goes the other way: it makes a good Config fail, dawdle, hang and lend
// connections that break, in an order that its seed decides.
//
// The package imports testing, so it belongs in tests.
package connpooltest
