package tsdb

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Sync makes durable what Write has stored: afterwards it survives a power cut
// too. The TSDB leaves its write-ahead logs (of samples in order, and of late
// ones) to the operating system and offers no call for it, so their newest
// files are synced by name; it syncs the older ones itself when it leaves them.
//
// Calls share the work: one that comes while the disk is busy with another
// waits for the next round, together with all that come until it begins. Writes
// go on meanwhile.
//
// Once the disk has failed to take something, all calls fail, and Write too.
func (db *DB) Sync() error {
	g := &db.syncing
	g.mu.Lock()
	r := g.next
	if r != nil {
		g.mu.Unlock()
		<-r.done
		return r.err
	}
	r = &round{done: make(chan struct{})}
	g.next = r
	g.mu.Unlock()

	g.turn.Lock() // the round before has ended
	g.mu.Lock()
	g.next = nil // what is written from here on is for another round
	g.mu.Unlock()
	r.err = db.syncLogs()
	g.turn.Unlock()
	close(r.done)
	return r.err
}

// rounds are the calls of Sync.
type rounds struct {
	mu   sync.Mutex
	next *round // that has not begun, and that may be joined

	turn     sync.Mutex // held by the round that is under way
	wal, wbl syncedTo

	broken atomic.Pointer[brokenError]
}

type round struct {
	done chan struct{}
	err  error
}

// brokenError is a sync that failed. The kernel takes what it could not write back
// for written and says so once: a sync after that one finds nothing to do and
// succeeds. What the logs hold from there on may have a hole, behind which nothing
// is read any more. So nothing is stored until [Open] has written them again, and
// has read them as they are then.
type brokenError struct{ err error }

func (e *brokenError) Error() string {
	return fmt.Sprintf("the disk did not take what was stored (%v), and whether it takes more can't be known: look after it and start narthex again, which writes the store's log once more; nothing is stored until then", e.err)
}

func (e *brokenError) Unwrap() error { return e.err }

// intact returns why nothing may be stored any more.
func (g *rounds) intact() error {
	if e := g.broken.Load(); e != nil {
		return e
	}
	return nil
}

func (db *DB) syncLogs() error {
	db.mu.Lock()
	closed := db.closed
	db.mu.Unlock()
	g := &db.syncing
	err := g.intact()
	switch {
	case closed:
		err = errors.New("the store is closed")
	case err == nil:
		err = g.wal.sync(filepath.Join(db.dir, walDir), db.opts.files)
		if err == nil {
			err = g.wbl.sync(filepath.Join(db.dir, wblDir), db.opts.files)
		}
		if e, ok := errors.AsType[*brokenError](err); ok {
			g.broken.Store(e)
		}
	}
	if err != nil {
		return fmt.Errorf("sync the store: %w", err)
	}
	return nil
}

// release lets go of the files, once no round is under way.
func (g *rounds) release() {
	g.turn.Lock()
	defer g.turn.Unlock()
	g.wal.release()
	g.wbl.release()
}
