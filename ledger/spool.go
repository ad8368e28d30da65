package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"narthex"
)

// spool keeps on disk, oldest first, the samples that a destination has not
// taken. It is a log like the ledger's own, whose oldest file is deleted once
// all of it has been delivered. After a crash a file is delivered from its
// beginning: samples have times of their own, so that is harmless.
type spool struct {
	log     *slog.Logger
	max     int64         // bytes
	age     time.Duration // of the samples' arrival
	now     func() time.Time
	dropped func(samples int)
	sync    func() error // makes durable what the destination has taken

	mu    sync.Mutex
	wal   wal
	files []spoolFile // oldest first, the last is being written
}

type spoolFile struct {
	number int
	bytes  int64
	old    int // samples of it that were given up as too old
}

// spoolFileSize is how large a file grows: what is in memory while it is
// delivered.
const spoolFileSize = 4 << 20

// openSpool opens or makes the spool in dir.
func openSpool(dir string, s *spool) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the outbox: %w", err)
	}
	s.wal = wal{dir: dir, create: createFile, next: 1}
	numbers, err := logFiles(dir)
	if err != nil {
		return nil, err
	}
	for i, n := range numbers {
		if i == len(numbers)-1 { // a crash may have torn its end
			if _, _, err := readLog(logPath(dir, n), 0, true, openFile, func(record) error { return nil }); err != nil {
				return nil, err
			}
		}
		info, err := os.Stat(logPath(dir, n))
		if errors.Is(err, os.ErrNotExist) { // there was nothing in it
			continue
		}
		if err != nil {
			return nil, err
		}
		s.wal.number = n
		s.files = append(s.files, spoolFile{number: n, bytes: info.Size()})
	}
	return s, nil
}

// add makes a batch's series durable.
func (s *spool) add(b *narthex.Batch) error {
	e, err := NewEntry(&narthex.Batch{ID: "-", Received: b.Received, Series: b.Series})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wal.f == nil || s.wal.size >= min(spoolFileSize, s.max/4) { // a file is what is given up at a time
		if err := s.rotate(); err != nil {
			return err
		}
	}
	before := s.wal.size
	if err := s.wal.append([][]byte{e.Encode()}); err != nil {
		return err
	}
	s.files[len(s.files)-1].bytes += s.wal.size - before
	for s.size() > s.max && len(s.files) > 1 {
		s.drop("it has no room for more: the destination was away for too long")
	}
	return nil
}

func (s *spool) rotate() error {
	n, err := s.wal.rotate()
	if err == nil {
		s.files = append(s.files, spoolFile{number: n, bytes: s.wal.size})
	}
	return err
}

func (s *spool) size() (n int64) {
	for _, f := range s.files {
		n += f.bytes
	}
	return n
}

// waiting returns how many bytes wait.
func (s *spool) waiting() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) == 1 && s.files[0].bytes == int64(logStart) {
		return 0
	}
	return s.size()
}

// drop gives up the oldest file.
func (s *spool) drop(why string) {
	path := logPath(s.wal.dir, s.files[0].number)
	var all givenUp
	_, _, err := readLog(path, 0, false, openFile, func(r record) error {
		all.add(r.entry)
		return nil
	})
	s.giveUp(all, why, err)
	s.remove()
}

// remove deletes the oldest file.
func (s *spool) remove() {
	if err := os.Remove(logPath(s.wal.dir, s.files[0].number)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("a delivered file of the outbox can't be deleted; it is delivered again after a restart", "err", err)
	}
	s.files = s.files[1:]
}

// oldest returns the path of the oldest file, from now on not written to; ""
// if there is none.
func (s *spool) oldest() (int, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) == 0 || len(s.files) == 1 && s.wal.f != nil && s.wal.size <= int64(logStart) {
		return 0, "", nil
	}
	if f := s.files[0]; s.wal.f != nil && f.number == s.wal.number {
		if err := s.rotate(); err != nil {
			return 0, "", err
		}
	}
	n := s.files[0].number
	return n, logPath(s.wal.dir, n), nil
}

// deliver hands what waits to write, oldest first, until nothing is left or
// write says false. What is too old is given up.
func (s *spool) deliver(write func(*narthex.Batch) bool) (empty bool, err error) {
	for {
		number, path, err := s.oldest()
		if err != nil || path == "" {
			return err == nil, err
		}
		batches, err := s.read(number, path)
		if err != nil {
			return false, err
		}
		for _, b := range batches {
			if !write(b) {
				return false, nil
			}
		}
		if err := s.sync(); err != nil {
			return false, err
		}
		s.mu.Lock()
		if len(s.files) > 0 && s.files[0].number == number {
			s.remove()
		}
		s.mu.Unlock()
	}
}

// read returns what waits in a file, without what is too old.
func (s *spool) read(number int, path string) (batches []*narthex.Batch, err error) {
	late, old := s.now().Add(-s.age), givenUp{}
	_, _, err = readLog(path, 0, false, openFile, func(r record) error {
		if r.entry.received().Before(late) {
			old.add(r.entry)
		} else {
			batches = joined(batches, r.entry)
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) > 0 && s.files[0].number == number && old.samples > s.files[0].old {
		now := old.samples
		old.samples -= s.files[0].old // those were told before
		s.files[0].old = now
		s.giveUp(old, "they are too old", nil)
	}
	return batches, err
}

// givenUp is what is told of samples that a destination is not given.
type givenUp struct {
	samples int
	first   string // series
}

func (g *givenUp) add(e *Entry) {
	for i := range e.items {
		if g.first == "" {
			g.first = keyText(e.items[i].key)
		}
		g.samples += len(e.items[i].samples)
	}
}

func (s *spool) giveUp(g givenUp, why string, err error) {
	s.log.Error("samples that waited for a destination are given up: "+why, "samples", g.samples, "first", g.first, "err", err)
	s.dropped(g.samples)
}

// joined appends an entry's series to the last batch, or begins another: a
// request for each would make a long queue longer.
func joined(batches []*narthex.Batch, e *Entry) []*narthex.Batch {
	const enough = 2000
	var b *narthex.Batch
	if n := len(batches); n > 0 && len(batches[n-1].Series) < enough {
		b = batches[n-1]
	} else {
		b = &narthex.Batch{Received: e.received()}
		batches = append(batches, b)
	}
	for i := range e.items {
		b.Series = append(b.Series, e.items[i].series())
	}
	return batches
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wal.close()
}
