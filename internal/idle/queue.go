package idle

import "github.com/connpool/connpool/internal/explore"

// queue holds numbers first in, first out: a ring under a lock. A lock-free one
// would be another protocol to get right, for pools that do not count nanoseconds.
type queue struct {
	explore.Mutex
	ring   []uint32
	head   int // the place of the number that is popped next
	length int
}

// NewQueue returns an empty list that is first in, first out. All else is as with
// New(0), but every Push and Pop takes a lock, some 10 ns each.
func NewQueue() *List { return &List{queue: new(queue)} }

func (q *queue) grow(n int) {
	q.Lock()
	defer q.Unlock()
	if n <= len(q.ring) {
		return
	}
	ring := make([]uint32, n)
	for i := range q.length {
		ring[i] = q.ring[(q.head+i)%len(q.ring)]
	}
	q.ring, q.head = ring, 0
}

func (q *queue) push(n uint32) {
	q.Lock()
	defer q.Unlock()
	q.ring[(q.head+q.length)%len(q.ring)] = n
	q.length++
}

func (q *queue) pop() (n uint32, ok bool) {
	q.Lock()
	defer q.Unlock()
	if q.length == 0 {
		return 0, false
	}
	n = q.ring[q.head]
	q.head, q.length = (q.head+1)%len(q.ring), q.length-1
	return n, true
}

func (q *queue) empty() bool {
	q.Lock()
	defer q.Unlock()
	return q.length == 0
}
