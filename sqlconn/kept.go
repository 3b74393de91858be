package sqlconn

import (
	"container/list"
	"database/sql/driver"
	"fmt"
)

// kept holds a connection's statements, one a query, the most recently used in
// front. One that is lent stays in its place, so that lending it again and again
// allocates nothing. The nil kept holds none.
type kept struct {
	size    int
	order   list.List // of *keptStmt
	byQuery map[string]*list.Element
}

type keptStmt struct {
	driver.Stmt
	query string
	lent  bool
}

func newKept(size int) *kept {
	return &kept{size: size, byQuery: make(map[string]*list.Element)}
}

// lend returns the statement of a query, or nil if there is none or somebody has
// it.
func (k *kept) lend(query string) *keptStmt {
	if k == nil {
		return nil
	}
	e, ok := k.byQuery[query]
	if !ok {
		return nil
	}
	k.order.MoveToFront(e)
	s := e.Value.(*keptStmt)
	if s.lent {
		return nil
	}
	s.lent = true
	return s
}

// add keeps a statement that is new, and returns the one that must be closed for
// it, or nil.
func (k *kept) add(query string, s driver.Stmt) (surplus driver.Stmt) {
	if k == nil || k.byQuery[query] != nil { // then it was the second one in use at once
		return s
	}
	if k.order.Len() >= k.size {
		last := k.lastUnlent()
		if last == nil {
			return s
		}
		surplus = k.remove(last)
	}
	k.byQuery[query] = k.order.PushFront(&keptStmt{Stmt: s, query: query})
	return surplus
}

func (k *kept) lastUnlent() *list.Element {
	for e := k.order.Back(); e != nil; e = e.Prev() {
		if !e.Value.(*keptStmt).lent {
			return e
		}
	}
	return nil
}

// drop forgets a statement that is lent, and returns it to be closed.
func (k *kept) drop(s *keptStmt) driver.Stmt { return k.remove(k.byQuery[s.query]) }

func (k *kept) remove(e *list.Element) driver.Stmt {
	s := k.order.Remove(e).(*keptStmt)
	delete(k.byQuery, s.query)
	return s.Stmt
}

// close closes the statements until one cannot be closed: the connection is about
// to be closed itself, and takes the rest along.
func (k *kept) close() error {
	if k == nil {
		return nil
	}
	for k.order.Len() > 0 {
		if err := k.remove(k.order.Back()).Close(); err != nil {
			return fmt.Errorf("sqlconn: closing a kept statement: %w", err)
		}
	}
	return nil
}
