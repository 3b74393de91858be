// Package cell runs one row against one pool in a process of its own, so that a
// pool may hang there, or take the process down, and that is a result like any
// other.
package cell
