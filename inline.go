package connpool

// instantiated is never called; that it is compiled is all it is for. A package
// offers to those who instantiate its generic code elsewhere only such functions
// of other packages for inlining as it has inlined itself, and one that is all
// generic has compiled nothing. Without this function each step of the words and
// the gate is a call in a user's program: 19 ns an acquire and release, and 10 ns
// with it (TestTheCommonPathIsInlinedInAUsersProgram).
func instantiated() {
	var p *Pool[int]
	lease, _ := p.Acquire(nil)
	lease.Conn()
	lease.Release()
	p.Stats()
}

var _ = instantiated
