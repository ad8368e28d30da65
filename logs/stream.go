package logs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"narthex"
	"narthex/state"
)

// printSize is how much of a log's beginning tells it from others.
const printSize = 1024

// A stream is a log on disk that is read once, wherever it is moved and whether
// or not it is compressed meanwhile.
type stream struct {
	// Gen names the stream in ids.
	Gen string `json:"gen"`
	// Path, Dev and Ino are the file that has it.
	Path string `json:"path"`
	Dev  uint64 `json:"dev,omitempty"`
	Ino  uint64 `json:"ino,omitempty"`
	// Print is the hash of its first PrintSize bytes, decompressed and without
	// a header.
	Print     string `json:"print"`
	PrintSize int    `json:"print_size"`
	// Offset is how far it was read, in bytes of its decompressed content.
	Offset int64 `json:"offset"`
	// Skipped is what of that was not counted, from the beginning: it was too old
	// when it was seen first, or was written at its own time (see [Backfill]).
	Skipped int64 `json:"skipped,omitempty"`
	// Pending, if not 0, is the end of the piece that is being counted since
	// PendingAt. Whoever finds it reads the same piece again, under the same id.
	Pending   int64     `json:"pending,omitempty"`
	PendingAt time.Time `json:"pending_at,omitzero"`
	// Header is what its beginning said of the columns.
	Header string `json:"header,omitempty"`
	// Packed is a file's that was compressed when it was seen first.
	Packed bool `json:"packed,omitempty"`
	// Done is a compressed file's that was read to its end, Size and Time what it
	// was then.
	Done bool `json:"done,omitempty"`
	// Content is the id of a file that was compressed from the first.
	Content string    `json:"content,omitempty"`
	Size    int64     `json:"size,omitempty"`
	Time    time.Time `json:"time,omitzero"`
	// Seen is when a file that has it was there, to the hour.
	Seen time.Time `json:"seen"`

	settled bool // it is Done, and kept as such
}

// pieceID is the id of a piece.
func (st *stream) pieceID(from, to int64) string {
	return fmt.Sprintf("file:%s:%d-%d", st.Gen, from, to)
}

func (st *stream) setPrint(head []byte) {
	head = head[:min(len(head), printSize)]
	st.Print, st.PrintSize = printOf(head), len(head)
}

func printOf(head []byte) string {
	sum := sha256.Sum256(head)
	return hex.EncodeToString(sum[:8])
}

// newGen returns the name of a stream that is seen for the first time. It has
// the time in it, for a log that begins as another one did is another log.
func newGen(f *found, now time.Time) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d:%d\x00%d\x00", f.path, f.dev, f.ino, now.UnixNano())
	h.Write(f.head)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// maxStreams is how many streams are remembered.
const maxStreams = 20_000

// streams is what a follower remembers: under one key the logs that grow, which
// is saved for each piece, under another those that are done with, which may be
// many.
type streams struct {
	keep       state.Store
	key        string
	live, done state.Entry
	list       []*stream
	settled    time.Time // when those that are done with were saved
	unsure     bool      // a save failed that may have been done all the same
}

// The keys' endings.
const (
	liveKey = "files"
	doneKey = "read"
)

// load reads what is kept. Where a log is under both keys, it is done with.
func (s *streams) load(ctx context.Context) (err error) {
	var live, done []*stream
	if s.done, err = s.get(ctx, doneKey, &done); err == nil {
		s.live, err = s.get(ctx, liveKey, &live)
	}
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, st := range done {
		st.settled = true
		known[st.Gen] = true
	}
	s.list, s.unsure = done, false
	for _, st := range live {
		if !known[st.Gen] {
			s.list = append(s.list, st)
		}
	}
	return nil
}

func (s *streams) get(ctx context.Context, key string, list *[]*stream) (state.Entry, error) {
	e, err := s.keep.Load(ctx, s.key+key)
	if err != nil {
		return e, narthex.Errorf(narthex.Unavailable, "load how far logs were read: %w", err)
	}
	if e.Data == nil {
		return e, nil
	}
	if err := json.Unmarshal(e.Data, list); err != nil {
		return e, fmt.Errorf("what is known of how far logs were read (%s) is damaged: %w; with it removed all logs are read anew, and what was read more than a day ago counts twice", s.key+key, err)
	}
	*list = slices.DeleteFunc(*list, func(st *stream) bool { return st == nil })
	return e, nil
}

// save makes durable what has changed of the logs that grow.
func (s *streams) save(ctx context.Context) error {
	return s.put(ctx, liveKey, &s.live, func(st *stream) bool { return !st.settled })
}

// settle makes durable which logs are done with, and all else.
func (s *streams) settle(ctx context.Context) error {
	if err := s.put(ctx, doneKey, &s.done, func(st *stream) bool { return st.Done }); err != nil {
		return err
	}
	for _, st := range s.list {
		st.settled = st.Done
	}
	return s.save(ctx)
}

func (s *streams) put(ctx context.Context, key string, e *state.Entry, which func(*stream) bool) error {
	list := make([]*stream, 0, len(s.list))
	for _, st := range s.list {
		if which(st) {
			list = append(list, st)
		}
	}
	data, err := json.Marshal(list)
	if err != nil || bytes.Equal(data, e.Data) || len(list) == 0 && e.Data == nil {
		return err
	}
	now, err := s.keep.Save(ctx, s.key+key, *e, data)
	if err != nil {
		s.unsure = true
		return narthex.Errorf(narthex.Unavailable, "keep how far logs were read: %w", err)
	}
	*e = state.Entry{Data: data, Version: now.Version}
	return nil
}

// add remembers another stream. Those whose files are gone for longest give way.
func (s *streams) add(st *stream) {
	if len(s.list) >= maxStreams {
		slices.SortStableFunc(s.list, func(a, b *stream) int { return a.Seen.Compare(b.Seen) })
		s.list = slices.Delete(s.list, 0, len(s.list)-maxStreams+1)
	}
	s.list = append(s.list, st)
}
