package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"narthex"
)

// FollowOptions say how files are followed.
type FollowOptions struct {
	// From is a file, a directory or a pattern.
	From string
	// Since is how long ago a file may have been changed that is read when it is
	// seen for the first time. 0 is 24 h.
	Since time.Duration
	// Piece is how much of a growing file is counted at once, in bytes. Default
	// 16 MiB.
	Piece int64
	// Quiet is after how long without a change a last line counts that has no
	// end. Default 1 min.
	Quiet time.Duration
}

// Follower reads files to their ends, once, and what is appended to them.
//
// A file is known again after it was renamed, compressed or copied and cut off
// (logrotate's ways), so that neither is anything read twice nor left unread. How
// far a file was read is kept, and is never ahead of what was counted.
type Follower struct {
	o       FollowOptions
	s       *Source
	streams streams
	failed  map[string]failure    // by path
	byNode  map[[2]uint64]*stream // by device and inode, while find looks
}

// failure is a file that could not be read as it was at the time.
type failure struct {
	size     int64
	modified time.Time
	at       time.Time
}

// quiet is after how long without a change a log's last line counts as whole.
const quiet = time.Minute

// retryFailed is how long a file that could not be read, and has not changed,
// is left alone.
const retryFailed = 5 * time.Minute

// NewFollower returns a follower with what it remembers.
func NewFollower(ctx context.Context, s *Source, o FollowOptions) (*Follower, error) {
	if o.Since <= 0 {
		o.Since = 24 * time.Hour
	}
	if o.Piece <= 0 {
		o.Piece = 16 << 20
	}
	if o.Quiet <= 0 {
		o.Quiet = quiet
	}
	f := &Follower{o: o, s: s, failed: make(map[string]failure), streams: streams{keep: s.o.Keep, key: s.key("")}}
	return f, f.streams.load(ctx)
}

// Run polls at each interval until ctx ends.
func (f *Follower) Run(ctx context.Context, interval time.Duration) {
	every(ctx, interval, func() {
		if err := f.Poll(ctx); err != nil && ctx.Err() == nil {
			f.s.o.Logger.Warn("not all logs were read; they are tried again", "err", err)
		}
	})
}

// every calls do at once and at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Poll reads what is new. An error is the first of those that are to be tried
// again.
func (f *Follower) Poll(ctx context.Context) error {
	if f.streams.unsure { // what is kept decides, as after a crash
		if err := f.streams.load(ctx); err != nil {
			return err
		}
	}
	files, err := f.find(ctx)
	if err != nil {
		return err
	}
	var first error
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f.file(ctx, file)
		if now := f.s.o.Now(); err == nil && now.Sub(f.streams.settled) > settleEvery {
			f.streams.settled = now
			err = f.streams.settle(ctx)
		}
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", file.path, err)
		}
		if f.streams.unsure {
			return first
		}
	}
	return errors.Join(first, f.streams.settle(ctx))
}

// settleEvery is how long a poll goes on without making durable what it read.
// What it read twice then is recognised by its ids.
const settleEvery = 10 * time.Second

// find returns the files that may have something new, each with its stream.
func (f *Follower) find(ctx context.Context) ([]*found, error) {
	paths, err := Files(f.rotated())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for logs in %s: %w", f.o.From, err)
	}
	var files, strangers []*found
	placed := make(map[*stream]bool)
	f.byNode = make(map[[2]uint64]*stream, len(f.streams.list))
	for _, st := range f.streams.list {
		f.byNode[[2]uint64{st.Dev, st.Ino}] = st
	}
	for _, path := range paths {
		file, err := look(path)
		if err != nil || file.size == 0 {
			continue // gone meanwhile, or nothing in it
		}
		if f.tried(file) {
			continue
		}
		st := f.where(file)
		if st == nil {
			strangers = append(strangers, file)
			continue
		}
		placed[st] = true
		st.Path, st.Seen = path, f.s.o.Now().Truncate(time.Hour)
		if st.Done && st.Size == file.size && st.Time.Equal(file.modified) || !st.Done && st.Offset == file.size && st.Pending == 0 {
			continue
		}
		file.stream = st
		files = append(files, file)
	}
	if len(strangers) > 0 {
		if err := f.s.lookForBackfill(ctx); err != nil {
			return nil, err
		}
	}
	for _, file := range strangers {
		if file.head == nil {
			if err := file.readHead(); err != nil {
				f.fail(file, err)
				continue
			}
		}
		st := f.moved(file)
		switch {
		case st != nil && placed[st]: // a copy of what is still where it was
			continue
		case st == nil:
			if st = f.discover(file); st == nil {
				continue
			}
		}
		placed[st] = true
		st.Path, st.Dev, st.Ino = file.path, file.dev, file.ino
		file.stream = st
		files = append(files, file)
	}
	byAge(files)
	return files, nil
}

// rotated returns the pattern that finds, with a file, what logrotate makes of
// it.
func (f *Follower) rotated() string {
	if info, err := os.Stat(f.o.From); strings.ContainsAny(f.o.From, "*?[") || err == nil && info.IsDir() {
		return f.o.From
	}
	return f.o.From + "*"
}

// where returns the stream of a file that is where it was, or was renamed.
func (f *Follower) where(file *found) *stream {
	st := f.byNode[[2]uint64{file.dev, file.ino}]
	if file.ino == 0 {
		i := slices.IndexFunc(f.streams.list, func(st *stream) bool { return st.Path == file.path })
		if i < 0 {
			return nil
		}
		st = f.streams.list[i]
	}
	if st == nil {
		return nil
	}
	if st.Done && st.Size == file.size && st.Time.Equal(file.modified) {
		return st
	}
	if file.readHead() != nil || !file.begins(st) || !file.packed && file.size < max(st.Offset, st.Pending) || st.Done && !file.packed {
		st.Dev, st.Ino, st.Path = 0, 0, "" // another log is there now
		return nil
	}
	if st.PrintSize < printSize && len(file.head) > st.PrintSize {
		st.setPrint(file.head)
	}
	return st
}

// moved returns the stream of which a file has the content, nil if it is new.
// Logs may begin alike, so that either much of them is the same, or the names
// are too.
func (f *Follower) moved(file *found) (best *stream) {
	for _, st := range f.streams.list {
		sure := st.PrintSize == printSize || st.Path == "" || stem(st.Path) == stem(file.path)
		if sure && !st.Packed && st.PrintSize > 0 && file.begins(st) && (best == nil || st.PrintSize > best.PrintSize) && (file.packed || file.size >= max(st.Offset, st.Pending)) {
			best = st
		}
	}
	return best
}

// stem returns the path without what rotation adds to it: numbers, dates and the
// endings of compressed files.
func stem(path string) string {
	for _, ending := range []string{".gz", ".zst"} {
		path = strings.TrimSuffix(path, ending)
	}
	return strings.TrimRight(path, "0123456789-_.")
}

// discover remembers a file that is seen for the first time. One that was not
// changed for long is not read, which is what nil says.
func (f *Follower) discover(file *found) *stream {
	now := f.s.o.Now()
	st := &stream{Gen: newGen(file, now), Path: file.path, Dev: file.dev, Ino: file.ino, Packed: file.packed, Seen: now.Truncate(time.Hour)}
	st.setPrint(file.head)
	f.streams.add(st)
	if n := f.s.backfill.begun(file); n > 0 && !file.packed {
		st.Offset, st.Skipped = n, n
	}
	if now.Sub(file.modified) <= f.o.Since {
		return st
	}
	if st.Done, st.Size, st.Time = file.packed, file.size, file.modified; !file.packed {
		st.Offset, st.Skipped = file.size, file.size
	}
	f.s.o.Logger.Info("a log is too old to be read", "path", file.path, "modified", file.modified)
	f.s.o.Stats.skip(f.s.o.Name, "old")
	return nil
}

// tried reports whether the file failed as it is, not long ago.
func (f *Follower) tried(file *found) bool {
	x, ok := f.failed[file.path]
	return ok && x.size == file.size && x.modified.Equal(file.modified) && f.s.o.Now().Sub(x.at) < retryFailed
}

// fail notes a file that can't be read.
func (f *Follower) fail(file *found, err error) {
	f.failed[file.path] = failure{file.size, file.modified, f.s.o.Now()}
	f.s.o.Logger.Warn("a log can't be read as it is; it is tried again when it has changed", "path", file.path, "err", err)
}

// file reads what is new in a file. An error is one of the sink or the store.
func (f *Follower) file(ctx context.Context, file *found) error {
	if file.packed {
		return f.whole(ctx, file)
	}
	r, err := os.Open(file.path)
	if err != nil {
		return nil // gone; whoever moved it may have it found again
	}
	defer r.Close()
	for st := file.stream; ctx.Err() == nil; {
		if st.Pending == 0 {
			end, err := f.cut(r, file)
			if err != nil {
				f.fail(file, err)
				return nil
			}
			if end == st.Offset {
				return nil
			}
			if err := f.intend(ctx, st, end); err != nil {
				return err
			}
		}
		done, err := f.piece(ctx, file, io.NewSectionReader(r, st.Offset, st.Pending-st.Offset))
		if !done {
			return err
		}
	}
	return ctx.Err()
}

// intend makes durable which piece is counted next. Only then is its id the same
// after a crash.
func (f *Follower) intend(ctx context.Context, st *stream, end int64) error {
	st.Pending, st.PendingAt = end, f.s.o.Now()
	return f.streams.save(ctx)
}

// cut returns the end of the next piece, the offset if there is none yet.
func (f *Follower) cut(r *os.File, file *found) (int64, error) {
	st := file.stream
	to := min(file.size, st.Offset+f.o.Piece)
	end, err := lineEnd(r, st.Offset, to)
	if err == nil && end == st.Offset && (to < file.size || f.s.o.Now().Sub(file.modified) >= f.o.Quiet) {
		end = to // a line that is too long, or will have no end
	}
	return end, err
}

// piece counts the pending piece. It is done with if nothing is to be tried
// again.
func (f *Follower) piece(ctx context.Context, file *found, r io.Reader) (done bool, err error) {
	st := file.stream
	body := io.Reader(&exactly{r, st.Pending - st.Offset})
	if st.Header != "" && st.Offset > 0 {
		body = io.MultiReader(strings.NewReader(st.Header+"\n"), body)
	}
	receipt, err := f.s.Object(ctx, Object{ID: st.pieceID(st.Offset, st.Pending), Name: file.path, Received: st.PendingAt, Body: body})
	switch {
	case narthex.IsRejected(err):
		f.s.o.Logger.Error("a piece of a log is not counted", "path", file.path, "from", st.Offset, "to", st.Pending, "err", err)
	case narthex.KindOf(err) != 0 || ctx.Err() != nil && err != nil:
		return false, err
	case err != nil:
		f.fail(file, err)
		return false, nil
	}
	if receipt.Report.Header != "" {
		st.Header = receipt.Report.Header
	}
	st.Offset, st.Pending, st.PendingAt = st.Pending, 0, time.Time{}
	return true, nil
}

// read reports whether a compressed file with the content was read.
func (f *Follower) read(content string) bool {
	return slices.ContainsFunc(f.streams.list, func(st *stream) bool { return st.Done && st.Content == content })
}

// whole reads a compressed file: all of it, or what was not read of it before it
// was compressed.
func (f *Follower) whole(ctx context.Context, file *found) error {
	st := file.stream
	if st.Pending > 0 {
		r, err := file.open(st.Offset)
		if err != nil {
			f.fail(file, err)
			return nil
		}
		done, err := f.piece(ctx, file, r)
		if r.Close(); !done {
			return err
		}
	}
	o := Object{Name: file.path}
	if st.Offset == 0 {
		r, err := os.Open(file.path)
		if err != nil {
			return nil
		}
		defer r.Close()
		h := sha256.New()
		o.Body, o.IDOf = io.TeeReader(r, h), func() (string, bool) {
			st.Content = "content:" + hex.EncodeToString(h.Sum(nil))
			return st.Content, f.read(st.Content) || f.s.backfill.has(st.Content)
		}
	} else {
		r, err := file.open(st.Offset)
		if err != nil {
			f.fail(file, err)
			return nil
		}
		defer r.Close()
		o.ID, o.Body = fmt.Sprintf("file:%s:%d-", st.Gen, st.Offset), r
		if st.Header != "" {
			o.Body = io.MultiReader(strings.NewReader(st.Header+"\n"), r)
		}
	}
	_, err := f.s.Object(ctx, o)
	switch {
	case narthex.IsRejected(err):
		f.s.o.Logger.Error("a log is not counted", "path", file.path, "err", err)
	case narthex.KindOf(err) != 0 || ctx.Err() != nil && err != nil:
		return err
	case err != nil:
		f.fail(file, err)
		return nil
	}
	delete(f.failed, file.path)
	st.Done, st.Size, st.Time = true, file.size, file.modified
	return nil
}
