package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"narthex"
)

// Stopped is the ledger of a program that does not run: it can be looked into,
// edited and imported into, and writes no samples. It holds the directory's lock.
// It is for one goroutine.
type Stopped struct{ l *Ledger }

// OpenStopped opens the ledger in o.Dir, of which Policy, Now and Logger matter
// besides. If create is false it has to be there.
func OpenStopped(ctx context.Context, o Options, create bool) (*Stopped, error) {
	if _, err := os.Stat(filepath.Join(o.Dir, "log")); errors.Is(err, os.ErrNotExist) && !create {
		return nil, narthex.Errorf(narthex.Invalid, "there is no ledger in %s: want the directory that data names in the configuration", o.Dir)
	}
	o.Sink, o.Others = nil, nil
	l := prepare(o)
	if err := l.open(ctx); err != nil {
		l.abandon()
		return nil, err
	}
	return &Stopped{l}, nil
}

// Find returns the totals of the series that match; see [State.Find].
func (s *Stopped) Find(_ context.Context, match func(narthex.Labels) bool, most int) (totals []Total, more bool, err error) {
	totals, more = s.l.state.Find(match, most)
	return totals, more, nil
}

// Snapshot returns a copy of the state.
func (s *Stopped) Snapshot(context.Context) (*State, error) {
	return thaw(s.l.state.Encode(), s.l.state.ids.closed)
}

// Edit logs and folds an entry; see [Ledger.Edit].
func (s *Stopped) Edit(_ context.Context, e *Entry) ([]narthex.Rejection, error) {
	now := s.l.o.Now().UnixMilli()
	if dup, err := s.l.state.known(e, now, s.l.policy); dup || err != nil {
		return nil, err
	}
	if rejected, all := s.l.state.refusesAll(e, s.l.policy); all {
		return rejected, nil
	}
	if err := s.l.wal.append([][]byte{e.Encode()}); err != nil {
		return nil, fmt.Errorf("write the log: %w", err)
	}
	out, err := s.l.state.Fold(e, now, s.l.policy)
	return out.Rejected, err
}

// Close lets go of the directory.
func (s *Stopped) Close() error {
	err := s.l.wal.close()
	s.l.abandon()
	return err
}
