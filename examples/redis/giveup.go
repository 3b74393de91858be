package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/connpool/connpool"
	"github.com/connpool/connpool/netconn"
)

// giveUp has callers give up waiting for a reply, and looks at what the next
// callers get.
func (a *app) giveUp(ctx context.Context) error {
	a.headline("A caller gives up, and the reply comes when another has the connection")
	return a.playLetters(ctx, "counted", poolConfig(a.server))
}

// giveUpUncounted does the same with a client that forgets what it has counted, on
// the connection below netconn's, which would have noted the read that failed.
func (a *app) giveUpUncounted(ctx context.Context) error {
	a.headline("The same, if the client did not count, and netconn did not either")
	cfg := poolConfig(a.server)
	connect, clean := cfg.Connect, cfg.Clean
	cfg.Connect = func(ctx context.Context) (*conn, error) {
		c, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		return newConn(c.over.(*netconn.Conn).NetConn()), nil
	}
	cfg.Clean = func(c *conn) error {
		c.owed.Store(0)
		return clean(c)
	}
	return a.playLetters(ctx, "uncounted", cfg)
}

// letters is a game of callers who wait for a letter in vain: it is posted when
// they have gone.
type letters struct {
	*app
	pool *connpool.Pool[*conn] // of one connection; the app's pool is the post's

	gaveUp int      // callers who waited in vain
	silent int      // of them, those on whose connection a look at the socket saw nothing
	own    int      // next callers who got their own reply
	wrong  []string // replies that were another's
}

func (a *app) playLetters(ctx context.Context, name string, cfg connpool.Config[*conn]) error {
	l := &letters{app: a}
	closed, err := withOne(ctx, cfg, func(pool *connpool.Pool[*conn]) error {
		l.pool = pool
		return l.play(ctx, name)
	})
	if err != nil {
		return err
	}
	a.say("%d callers waited for a letter, and %d gave up. On %d of those sockets nothing could be seen.", a.rounds, l.gaveUp, l.silent)
	a.say("%d next callers: %d got their own reply.", a.rounds, l.own)
	a.say("Replies that went to the wrong caller: %d.", len(l.wrong))
	if len(l.wrong) > 0 {
		a.say("The first of them: %s", l.wrong[0])
	}
	a.say("Closed on return: %v", closed)
	return nil
}

func (l *letters) play(ctx context.Context, name string) error {
	for n := range l.rounds {
		inbox := l.key(fmt.Sprintf("%s %d", name, n))
		if err := l.await(ctx, inbox); err != nil {
			return err
		}
		if err := l.askNext(ctx, inbox, n); err != nil {
			return err
		}
	}
	return nil
}

// await waits for a letter, but not for long. To this caller, no letter is an
// answer, so nobody tells the pool of an error: it is for Clean to notice.
func (l *letters) await(ctx context.Context, inbox string) error {
	return l.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		short, cancel := context.WithTimeout(ctx, l.patience)
		defer cancel()
		letter, err := c.text(short, "BLMOVE", inbox, inbox, "LEFT", "RIGHT", "0")
		switch {
		case err == nil: // there is no letter yet
			l.wrong = append(l.wrong, fmt.Sprintf("who waited for a letter got %q.", letter))
			return nil
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		l.gaveUp++
		if netconn.Alive(c.over) == nil {
			l.silent++
		}
		return nil
	})
}

// askNext is the next caller, who has the connection when the letter is posted.
func (l *letters) askNext(ctx context.Context, inbox string, n int) error {
	return l.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		if err := l.post(ctx, inbox, fmt.Sprintf("letter %d", n)); err != nil {
			return err
		}
		question := fmt.Sprintf("question %d", n)
		answer, err := c.text(ctx, "ECHO", question)
		switch {
		case err != nil:
			return err
		case answer == question:
			l.own++
		default:
			l.wrong = append(l.wrong, fmt.Sprintf("ECHO %q was answered with %q.", question, answer))
		}
		return nil
	})
}

// post puts a letter into an inbox, from a connection of the other pool.
func (l *letters) post(ctx context.Context, inbox, letter string) error {
	return l.app.pool.Do(ctx, func(ctx context.Context, c *conn) error {
		_, err := c.pipeline(ctx, []string{"RPUSH", inbox, letter}, []string{"EXPIRE", inbox, lifetime})
		return err
	})
}
