package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// RESP2, in which Redis is spoken to. A command is an array of strings. A reply is
// one of
//
//	+OK                        string
//	-ERR no such key           refusal
//	:42                        int64
//	$5 hello, or $-1           string, or nil
//	*2 and two replies, or *-1 []any, or nil
//
// each line of which ends with CR and LF. A reply is self-contained: who has read
// one stands at the beginning of the next.

// refusal is the server's saying no. It is a whole reply like any other, after
// which the connection is as good as before.
type refusal string

func (r refusal) Error() string { return "redis: " + string(r) }

// errProtocol means that what has arrived is no reply. Nobody knows where the next
// one begins, so there is none on that connection.
var errProtocol = errors.New("redis: this is not RESP2")

// What a server can make a client hold in memory. Lengths that it only announces
// allocate nothing: space grows with what arrives.
const (
	maxReply = 1 << 30 // bytes of one reply, with all that is nested in it; Redis's longest string is half of that
	maxLine  = 16 << 10
	maxDepth = 32
	step     = 64 << 10 // by which a string grows
)

// appendCommand appends a command. The arguments may contain any bytes.
func appendCommand(to []byte, command []string) []byte {
	to = appendLength(to, '*', len(command))
	for _, argument := range command {
		to = appendLength(to, '$', len(argument))
		to = append(to, argument...)
		to = append(to, "\r\n"...)
	}
	return to
}

func appendLength(to []byte, kind byte, n int) []byte {
	to = strconv.AppendInt(append(to, kind), int64(n), 10)
	return append(to, "\r\n"...)
}

// replyReader reads one reply after the other.
type replyReader struct {
	in    *bufio.Reader
	limit int
	left  int // of limit, for the reply that is being read
}

func newReplyReader(from io.Reader) *replyReader {
	return &replyReader{in: bufio.NewReaderSize(from, maxLine), limit: maxReply}
}

// read reads a reply: a string, an int64, nil, a refusal or a []any of these. An
// error means that there was no whole reply, and there will be none. It is
// io.EOF only if the stream ended between two replies.
func (r *replyReader) read() (any, error) {
	if _, err := r.in.Peek(1); err != nil {
		return nil, err
	}
	r.left = r.limit
	reply, err := r.value(0)
	switch err {
	case nil:
		return reply, nil
	case io.EOF:
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// value reads a reply that is nested in so many others.
func (r *replyReader) value(depth int) (any, error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	switch kind, text := line[0], string(line[1:]); kind {
	case '+':
		return text, nil
	case '-':
		return refusal(text), nil
	case ':':
		return number(text)
	case '$':
		return r.bulk(text)
	case '*':
		return r.array(text, depth+1)
	default:
		return nil, fmt.Errorf("%w: a reply begins with %q", errProtocol, kind)
	}
}

// line returns the next line, of at least one byte, without its end. It is valid
// until the next read.
func (r *replyReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, fmt.Errorf("%w: a line of more than %d bytes", errProtocol, maxLine)
	case err != nil:
		return nil, err
	case len(line) < 3 || line[len(line)-2] != '\r':
		return nil, fmt.Errorf("%w: a line without a beginning or an end", errProtocol)
	}
	return line[:len(line)-2], r.take(len(line))
}

// take counts what the reply takes.
func (r *replyReader) take(n int) error {
	if n > r.left {
		return fmt.Errorf("%w: a reply of more than %d bytes", errProtocol, r.limit)
	}
	r.left -= n
	return nil
}

func number(text string) (any, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is not a number", errProtocol, text)
	}
	return n, nil
}

// length reads the length of a string or array. That of nil is -1.
func length(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < -1 {
		return 0, fmt.Errorf("%w: %q is not a length", errProtocol, text)
	}
	return n, nil
}

// bulk reads a string of announced length.
func (r *replyReader) bulk(announced string) (any, error) {
	n, err := length(announced)
	if err != nil || n < 0 {
		return nil, err
	}
	if err := r.take(n); err != nil {
		return nil, err
	}
	var text []byte
	for len(text) < n {
		begin := len(text)
		text = append(text, make([]byte, min(n-begin, step))...)
		if _, err := io.ReadFull(r.in, text[begin:]); err != nil {
			return nil, err
		}
	}
	return string(text), r.end()
}

// end reads the end of a string.
func (r *replyReader) end() error {
	var end [2]byte
	if _, err := io.ReadFull(r.in, end[:]); err != nil {
		return err
	}
	if string(end[:]) != "\r\n" {
		return fmt.Errorf("%w: a string is longer than announced", errProtocol)
	}
	return r.take(len(end))
}

// array reads so many replies.
func (r *replyReader) array(announced string, depth int) (any, error) {
	n, err := length(announced)
	if err != nil || n < 0 {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: replies nested %d deep", errProtocol, depth)
	}
	replies := make([]any, 0, min(n, 64))
	for range n {
		reply, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}
