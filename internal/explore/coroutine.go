//go:build explore

package explore

import "iter"

// coroutine runs the threads of one schedule after another, one at a time: a new
// one would have to grow its stack anew, which takes as long as a short schedule.
type coroutine struct {
	body   func() // what it runs; nil: it is idle
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
}

// coroutines are those that are idle.
type coroutines struct{ idle []*coroutine }

func newCoroutine() *coroutine {
	c := new(coroutine)
	c.resume, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for more := true; more; more = yield(struct{}{}) {
			c.body()
			c.body = nil
		}
	})
	return c
}

// start gives a body to an idle coroutine, which runs it when it is resumed.
func (cs *coroutines) start(body func()) (c *coroutine) {
	if last := len(cs.idle) - 1; last >= 0 {
		c, cs.idle = cs.idle[last], cs.idle[:last]
	} else {
		c = newCoroutine()
	}
	c.body = body
	return c
}

// resume goes on with a body until it yields, and reports whether it has ended.
func (cs *coroutines) resume(c *coroutine) (ended bool) {
	c.resume()
	if c.body != nil {
		return false
	}
	cs.idle = append(cs.idle, c)
	return true
}

// end ends the coroutines, which must all be idle.
func (cs *coroutines) end() {
	for _, c := range cs.idle {
		c.stop()
	}
}
