package main

import (
	"errors"
	"fmt"
	"strings"
)

// session is what commands leave behind on their connection, for whoever sends the
// next. Whether anything is left is known here, without asking the server.
type session struct {
	multi, watch bool
	changed      string // a command that has changed the connection for good
}

var (
	errMulti = errors.New("redis: a MULTI without EXEC or DISCARD")
	errWatch = errors.New("redis: keys are still watched")
)

// forGood are commands after which this client makes no use of a connection but
// the user's own. Some change whom or what the next command is for (SELECT, AUTH);
// after others, replies come that nobody has asked for, or none.
var forGood = map[string]bool{
	"SUBSCRIBE": true, "PSUBSCRIBE": true, "SSUBSCRIBE": true, "MONITOR": true, "SYNC": true, "PSYNC": true,
	"SELECT": true, "AUTH": true, "HELLO": true, "RESET": true, "QUIT": true,
	"CLIENT": true, "READONLY": true, "READWRITE": true, "ASKING": true,
}

// note takes down what a command has changed. In doubt it is too pessimistic, and
// costs a connection.
func (s *session) note(command []string, reply any) {
	switch name := strings.ToUpper(command[0]); name {
	case "MULTI":
		s.multi = true
	case "WATCH":
		s.watch = true
	case "EXEC", "DISCARD":
		if ended(reply) {
			s.multi, s.watch = false, false
		}
	case "UNWATCH":
		if reply == "OK" {
			s.watch = false
		}
	default:
		if forGood[name] {
			s.changed = name
		}
	}
}

// ended reports whether the reply to EXEC or DISCARD says that there is no
// transaction any more.
func ended(reply any) bool {
	no, refused := reply.(refusal)
	return !refused || strings.HasPrefix(string(no), "EXECABORT ")
}

// left returns an error if anything is left behind.
func (s *session) left() error {
	switch {
	case s.changed != "":
		return fmt.Errorf("redis: %s has changed the connection", s.changed)
	case s.multi:
		return errMulti
	case s.watch:
		return errWatch
	}
	return nil
}
