package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"narthex"
	"narthex/state"
)

// Backfill is what is known of a source's logs that were written at their own
// times, and of those that were counted as they came. No log is to be both.
type Backfill struct {
	keep  state.Store
	key   string
	entry state.Entry
	done  backfilled

	counted map[string]bool // ids of objects and of whole files
	streams []*stream
}

// backfilled is kept in the store.
type backfilled struct {
	IDs   map[string]string `json:"ids"` // of objects and of files: the run that wrote them
	Files []BackfilledFile  `json:"files"`
}

// BackfilledFile is a file that was not compressed, and may grow.
type BackfilledFile struct {
	Print     string `json:"print"` // of its beginning
	PrintSize int    `json:"print_size"`
	Size      int64  `json:"size"` // that was written
}

// OpenBackfill returns what the store knows of a source.
func OpenBackfill(ctx context.Context, keep state.Store, source string) (*Backfill, error) {
	key := "logs/" + source + "/"
	b := &Backfill{keep: keep, key: key + "backfilled", counted: make(map[string]bool)}
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	s := streams{keep: keep, key: key}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	b.streams = s.list
	for _, st := range s.list {
		if st.Content != "" {
			b.counted[st.Content] = true
		}
	}
	e, err := keep.Load(ctx, key+"objects")
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "load which objects were read: %w", err)
	}
	seen := make(map[string]time.Time)
	if e.Data != nil {
		if err := json.Unmarshal(e.Data, &seen); err != nil {
			return nil, fmt.Errorf("what is known of objects that were read is damaged: %w", err)
		}
	}
	for id := range seen {
		b.counted[id] = true
	}
	return b, nil
}

func (b *Backfill) load(ctx context.Context) (err error) {
	if b.entry, err = b.keep.Load(ctx, b.key); err != nil {
		return narthex.Errorf(narthex.Unavailable, "load what was backfilled: %w", err)
	}
	b.done = backfilled{IDs: make(map[string]string)}
	if b.entry.Data == nil {
		return nil
	}
	if err := json.Unmarshal(b.entry.Data, &b.done); err != nil {
		return fmt.Errorf("what is known of logs that were backfilled (%s) is damaged: %w", b.key, err)
	}
	return nil
}

// Known says of a log whether it was backfilled, or counted as it came.
func (b *Backfill) Known(id string) (backfilled, counted bool) { return b.has(id), b.counted[id] }

// has reports whether a log was backfilled.
func (b *Backfill) has(id string) bool { return b != nil && b.done.IDs[id] != "" }

// Uncounted returns how much of a file, from its beginning, is to be written: what
// was not counted as it was appended, and of a last line that may still be written
// nothing.
func (b *Backfill) Uncounted(path string, now time.Time) (int64, error) {
	f, err := look(path)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(b.streams, func(st *stream) bool {
		return !st.Packed && (f.ino != 0 && st.Dev == f.dev && st.Ino == f.ino || f.ino == 0 && st.Path == path)
	})
	if i >= 0 {
		return b.streams[i].Skipped, nil
	}
	file, err := f.open(0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if plain, ok := file.(*os.File); ok && now.Sub(f.modified) < quiet {
		return lineEnd(plain, 0, f.size)
	}
	return f.size, nil
}

// begun returns how much of a file, from its beginning, was backfilled.
func (b *Backfill) begun(file *found) (most int64) {
	if b == nil {
		return 0
	}
	for _, x := range b.done.Files {
		if x.Size <= file.size && len(file.head) >= x.PrintSize && x.PrintSize > 0 && printOf(file.head[:x.PrintSize]) == x.Print {
			most = max(most, x.Size)
		}
	}
	return most
}

// PlainFile describes the first size bytes of a file for [Backfill.Add]; false if it
// is compressed, so that its content's id is enough.
func PlainFile(path string, size int64) (BackfilledFile, bool) {
	f := &found{path: path}
	if f.readHead() != nil || f.packed {
		return BackfilledFile{}, false
	}
	head := f.head[:min(int64(len(f.head)), size)]
	return BackfilledFile{Print: printOf(head), PrintSize: len(head), Size: size}, true
}

// Add makes durable which logs a run has written. Adding them again changes nothing.
func (b *Backfill) Add(ctx context.Context, run string, ids []string, files []BackfilledFile) error {
	for _, id := range ids {
		b.done.IDs[id] = run
	}
	for _, f := range files {
		if !slices.Contains(b.done.Files, f) {
			b.done.Files = append(b.done.Files, f)
		}
	}
	data, err := json.Marshal(b.done)
	if err != nil {
		return err
	}
	e, err := b.keep.Save(ctx, b.key, b.entry, data)
	if err != nil {
		return narthex.Errorf(narthex.Unavailable, "keep what was backfilled: %w", err)
	}
	b.entry = state.Entry{Data: data, Version: e.Version}
	return nil
}

// lookForBackfill learns which logs were backfilled, before logs are read that are
// new.
func (s *Source) lookForBackfill(ctx context.Context) error {
	if s.backfill == nil {
		s.backfill = &Backfill{keep: s.o.Keep, key: s.key("backfilled")}
	}
	return s.backfill.load(ctx)
}
