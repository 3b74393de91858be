// Package table prints what came of the rows: line by line while they run, and
// as a page of Markdown with what is needed to judge it: the command, the
// machine, the date and the versions.
package table
