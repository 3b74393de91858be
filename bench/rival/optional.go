package rival

import "context"

// Waiter is a Pool that counts how many borrows have had to wait.
type Waiter interface{ Waits() uint64 }

// Filler is a Pool that can open connections without lending them.
type Filler interface {
	// Fill opens Setup.Min connections and waits until they are open.
	Fill(ctx context.Context) error
}
