// Package logs brings access logs to the ledger, each object counted once.
//
// A [Source] knows what is made of its logs (package accesslog) and where the
// increments go. It takes one object after another, be it a file, a piece of a
// file that grows, an object in S3 or a message of CloudWatch Logs:
//
//	s, err := logs.New(ctx, logs.Options{Name: "cdn", Sink: ledger, Keep: store})
//	...
//	receipt, err := s.Object(ctx, logs.Object{ID: logs.S3ID(bucket, key, etag), Name: key, Body: body})
//
// [Follower] finds the files of a directory and what is appended to them,
// [Bucket] the objects below a prefix, [Source.CloudWatch] reads a subscription's
// message.
//
// # Exactly once
//
// Whoever delivers logs may do so twice, in any order and at the same time. An
// object's id stays the same, and the sink does nothing a second time. An object
// that comes to more series than one entry may have becomes several entries,
// whose ids are derived from the object's. Which series are in which of them
// depends on what the source has learned so far, so the result is kept before the
// first is written, and whoever tries again writes what was kept.
//
// A log that is cut off or damaged is an error and nothing of it is counted: it
// has to be delivered again.
package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/state"
)

// Options say what a Source reads and where it goes.
type Options struct {
	// Name tells sources apart: ids of two sources never meet. It is made of
	// letters, digits, '.', '_' and '-'.
	Name string
	// Log is what is made of the logs. PerMinute is set by Lateness.
	Log accesslog.Options
	// Labels are set on each series.
	Labels narthex.Labels
	// Lateness, if not 0, counts requests in the minutes in which they ended, and
	// says how late logs may come; see [narthex.Batch.Lateness].
	Lateness time.Duration
	// Sink takes the increments.
	Sink narthex.Sink
	// Known reports whether the sink has an entry with the id. Without it an
	// object that comes to several entries is counted exactly once only as long
	// as it comes to the same ones each time.
	Known func(ctx context.Context, identity, id string) (bool, error)
	// Spread says that the sink keeps a batch in several places, so that it may
	// take one in part; results are kept before they are written then.
	Spread bool
	// MaxSeries is how many series an entry may have. Default 10,000.
	MaxSeries int
	// Keep has what was learned and how far files were read. Nil keeps it in
	// memory only.
	Keep state.Store
	// Stats counts; nil counts for nobody.
	Stats *Stats
	// Logger takes what an operator should know; nil means slog.Default().
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Source takes logs. Its methods may be called from several goroutines, one
// object being read at a time.
type Source struct {
	o      Options
	mu     sync.Mutex // held while an object is read
	reader *accesslog.Reader
	// learned is what the store has of the reader's knowledge, as of fetched.
	learned   state.Entry
	fetched   time.Time
	overwrite overwrites
	backfill  *Backfill       // nil: it was not looked for
	told      map[string]bool // columns of which it was told that they are not known
}

// New returns a Source with what it learned before.
func New(ctx context.Context, o Options) (*Source, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxSeries <= 0 {
		o.MaxSeries = 10_000
	}
	if o.Keep == nil {
		o.Keep = new(state.Memory)
	}
	if o.Stats == nil {
		o.Stats = NewStats(nil)
	}
	if err := o.checkName(); err != nil {
		return nil, err
	}
	o.Log.PerMinute = o.Lateness > 0
	o.Logger = o.Logger.With("source", o.Name)
	r, err := accesslog.New(o.Log)
	if err != nil {
		return nil, fmt.Errorf("the log source %q: %w", o.Name, err)
	}
	s := &Source{o: o, reader: r}
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Check returns what is wrong with the options, nil if New will take them.
func (o Options) Check() error {
	if err := o.checkName(); err != nil {
		return err
	}
	if _, err := accesslog.New(o.Log); err != nil {
		return fmt.Errorf("the log source %q: %w", o.Name, err)
	}
	return nil
}

func (o Options) checkName() error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if o.Name == "" || len(o.Name) > 64 || o.Name[0] == '.' || strings.Trim(o.Name, letters+".") != "" {
		return fmt.Errorf("the log source %q has no name that can be kept: want letters, digits, '.', '_' and '-', 64 at most", o.Name)
	}
	return nil
}

// identity is who sends the source's entries.
func (s *Source) identity() string { return "logs:" + s.o.Name }

// relearn is how long what others have learned may go unnoticed.
const relearn = time.Minute

func (s *Source) key(name string) string { return "logs/" + s.o.Name + "/" + name }

// refresh fetches what others have learned, now and then.
func (s *Source) refresh(ctx context.Context) error {
	if s.o.Now().Sub(s.fetched) <= relearn {
		return nil
	}
	return s.fetch(ctx)
}

// fetch learns what the store has. What can't be understood is left out, for it
// is no reason to count nothing.
func (s *Source) fetch(ctx context.Context) error {
	e, err := s.o.Keep.Load(ctx, s.key("learned"))
	if err != nil {
		return narthex.Errorf(narthex.Unavailable, "load what the log source %q has learned: %w", s.o.Name, err)
	}
	s.fetched = s.o.Now()
	if e.Version == s.learned.Version {
		return nil
	}
	if s.learned = e; e.Data != nil {
		if err := s.reader.Learn(e.Data); err != nil {
			s.o.Logger.WarnContext(ctx, "what was learned is not usable", "err", err)
		}
	}
	return nil
}

// keepLearned stores what the reader has learned. Where another instance did so
// at the same time, both are brought together.
func (s *Source) keepLearned(ctx context.Context) error {
	const tries = 5
	var err error
	for range tries {
		now := s.reader.Learned()
		if bytes.Equal(now, s.learned.Data) {
			return nil
		}
		var e state.Entry
		if e, err = s.o.Keep.Save(ctx, s.key("learned"), s.learned, now); err == nil {
			s.learned = state.Entry{Data: now, Version: e.Version}
			return nil
		}
		if !errors.Is(err, state.ErrConflict) {
			break
		}
		if err := s.fetch(ctx); err != nil {
			return err
		}
	}
	return narthex.Errorf(narthex.Unavailable, "keep what the log source %q has learned: %w", s.o.Name, err)
}
