package keyed

import (
	"hash/maphash"
	"iter"
	"sync/atomic"
)

// table is a hash table that any number of goroutines may read, without a lock,
// while one writes. Each bucket is a chain of links that are never changed, except
// that a new one may come to stand before them: a writer replaces what it would
// change. A reader sees each entry that was there all the while it read.
//
// Read with every acquire, it takes half the time of sync.Map (9 ns for 18 with
// 1,000 strings), which has to allow for any number of writers and for keys of
// any type.
type table[K comparable, V any] struct {
	seed    maphash.Seed
	buckets atomic.Pointer[[]bucket[K, V]] // a power of two of them
	n       int                            // the writers'
}

type bucket[K comparable, V any] = atomic.Pointer[link[K, V]]

type link[K comparable, V any] struct {
	key   K
	value *V
	next  *link[K, V]
}

const fewestBuckets = 8

func newTable[K comparable, V any]() *table[K, V] {
	t := &table[K, V]{seed: maphash.MakeSeed()}
	t.spread(fewestBuckets)
	return t
}

func (t *table[K, V]) bucket(key K) *bucket[K, V] {
	buckets := *t.buckets.Load()
	return &buckets[maphash.Comparable(t.seed, key)&uint64(len(buckets)-1)]
}

// load returns the value of a key, or nil.
func (t *table[K, V]) load(key K) *V {
	for l := t.bucket(key).Load(); l != nil; l = l.next {
		if l.key == key {
			return l.value
		}
	}
	return nil
}

// all yields the entries that are there when it begins, but for some of those
// that are removed meanwhile.
func (t *table[K, V]) all() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		buckets := *t.buckets.Load()
		for i := range buckets {
			for l := buckets[i].Load(); l != nil; l = l.next {
				if !yield(l.key, l.value) {
					return
				}
			}
		}
	}
}

// insert adds a key that is not in the table. Writers exclude each other.
func (t *table[K, V]) insert(key K, value *V) {
	if n := len(*t.buckets.Load()); t.n >= n {
		t.spread(2 * n)
	}
	t.push(t.bucket(key), key, value)
	t.n++
}

func (t *table[K, V]) push(b *bucket[K, V], key K, value *V) {
	b.Store(&link[K, V]{key: key, value: value, next: b.Load()})
}

// remove takes out a key that is in the table.
func (t *table[K, V]) remove(key K) {
	b := t.bucket(key)
	b.Store(b.Load().without(key))
	t.n--
	if n := len(*t.buckets.Load()); n > fewestBuckets && t.n < n/4 {
		t.spread(n / 2)
	}
}

// without returns the chain less one key. What follows the key is shared.
func (l *link[K, V]) without(key K) *link[K, V] {
	if l.key == key {
		return l.next
	}
	return &link[K, V]{key: l.key, value: l.value, next: l.next.without(key)}
}

// spread puts the entries into n new buckets.
func (t *table[K, V]) spread(n int) {
	next := make([]bucket[K, V], n)
	if t.buckets.Load() != nil {
		for key, value := range t.all() {
			t.push(&next[maphash.Comparable(t.seed, key)&uint64(n-1)], key, value)
		}
	}
	t.buckets.Store(&next)
}
