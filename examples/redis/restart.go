package main

import "context"

// surviveRestart has the server die and come back, and sends commands at once. No
// command is repeated: none is sent on a connection that is dead.
func (a *app) surviveRestart(ctx context.Context) error {
	a.headline("The server is killed and started again")
	if a.own == nil {
		a.say("Not this one: it is yours.")
		return nil
	}
	if err := a.own.Restart(ctx); err != nil {
		return err
	}
	succeeded, err := a.work(ctx)
	a.say("%d of %d commands succeeded after that.", succeeded, a.commands)
	return err
}
