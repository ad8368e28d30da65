package narthextest

import (
	"bytes"
	"sync"
)

// Log keeps what a process writes; of too much, the end. The zero value is empty;
// it may be written and read at the same time.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const (
	logBytes  = 16 << 20 // kept at the most
	tailBytes = 6000
)

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > logBytes {
		l.buf.Next(l.buf.Len() / 2)
	}
	return l.buf.Write(p)
}

// String returns what is kept.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Tail returns as much of its end as a person reads.
func (l *Log) Tail() string {
	text := l.String()
	return text[max(0, len(text)-tailBytes):]
}
