package pgtest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
)

// logTail is how much of the log Log returns: enough for the last crash and
// what led to it, little enough for a failure message.
const logTail = 8 << 10

func (f *folder) logPath() string { return filepath.Join(f.path, "server.log") }

// readLog returns the log from an offset on, its last logTail bytes at most. A
// log that cannot be read yields the reason instead: the text is for people.
func (f *folder) readLog(from int64) string {
	file, err := os.Open(f.logPath())
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		from = max(from, size-logTail)
	}
	text, err := io.ReadAll(io.NewSectionReader(file, from, logTail))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}
