package work

import (
	"context"
	"sync"

	"github.com/connpool/connpool/bench/rival"
)

// full returns a pool with n connections open and idle. They are opened as the
// rival offers it, or else by borrowing all of them at once.
func full(r rival.Rival, n int) (rival.Pool, error) {
	pool, err := r.New(rival.Setup{Max: n, Min: n})
	if err != nil {
		return nil, err
	}
	if err := fill(pool, n); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

func fill(pool rival.Pool, n int) error {
	if f, ok := pool.(rival.Filler); ok {
		return f.Fill(context.Background())
	}
	var (
		all, borrowed sync.WaitGroup
		first         error
		once          sync.Once
	)
	borrowed.Add(n)
	for range n {
		all.Go(func() {
			err := pool.Use(context.Background(), func() { borrowed.Done(); borrowed.Wait() })
			if err != nil {
				once.Do(func() { first = err })
				borrowed.Done()
			}
		})
	}
	all.Wait()
	return first
}
