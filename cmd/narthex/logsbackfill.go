package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/config"
	"narthex/ledger"
	"narthex/logs"
	"narthex/state"
	"narthex/tsdb"
)

// backfillLabel tells series that were written at their own times from those that
// are counted as they come: no series has two writers.
const backfillLabel = "backfill"

// A backfill writes logs into the embedded store at their own times. All of it is
// made aside and then published, so that a run counts as a whole or not at all.
type backfill struct {
	o      *logsFlags
	c      *config.Config
	so     logs.Options
	dir    string // of this run
	label  string
	now    time.Time
	known  *logs.Backfill
	reader *accesslog.Reader
	spill  *spill
	bar    *progress
	out    backfilled

	commit backfillCommit
	taken  map[string]bool // the ids in it
}

// backfilled is what a backfill came to.
type backfilled struct {
	Logs       int           `json:"logs"`
	Duplicates int           `json:"duplicates"`   // written before
	Live       int           `json:"counted_live"` // counted as they came
	Lines      int64         `json:"lines"`
	Counted    int64         `json:"counted"`
	Rejected   int64         `json:"rejected"`
	First      time.Time     `json:"first,omitzero"`
	Last       time.Time     `json:"last,omitzero"`
	Label      string        `json:"label"`
	Series     int           `json:"series"`
	Refused    int           `json:"refused_series"`
	Blocks     int           `json:"blocks"`
	Samples    int64         `json:"samples"`
	Problems   []logsProblem `json:"problems,omitempty"`
}

// backfillCommit is what is kept of a run once all of it is made: what is left is to
// publish it.
type backfillCommit struct {
	Source string                `json:"source"`
	Label  string                `json:"label"`
	IDs    []string              `json:"ids"`
	Files  []logs.BackfilledFile `json:"files"`
}

const commitFile = "commit.json"

// backfill writes the logs that names stand for into the store.
func (o *logsFlags) backfill(ctx context.Context, names []string, c *config.Config, so logs.Options, t terminal) error {
	if slices.Contains(names, "-") {
		return usageError("--backfill reads files and objects, which can be told again, not standard input")
	}
	if c.Storage.None {
		return usageError("--backfill writes into the embedded store, and there is none (storage: none)")
	}
	b := &backfill{o: o, c: c, so: so, now: time.Now(), taken: make(map[string]bool)}
	unlock, err := tsdb.Lock(filepath.Join(c.Data, "backfill"))
	if err != nil {
		return err
	}
	defer unlock()
	keep, err := state.OpenFile(filepath.Join(c.Data, "state"))
	if err != nil {
		return err
	}
	if err := b.recover(ctx, keep); err != nil {
		return err
	}
	if b.known, err = logs.OpenBackfill(ctx, keep, so.Name); err != nil {
		return err
	}
	b.label = b.now.UTC().Format("2006-01-02T15:04:05.000Z")
	b.dir = filepath.Join(c.Data, "backfill", strings.ReplaceAll(b.label, ":", "-"))
	so.Log.PerMinute = true
	if b.reader, err = accesslog.New(so.Log); err != nil {
		return usageError("%v", err)
	}
	defer os.RemoveAll(b.dir) // published or not wanted; with a commit in it, it is gone already
	if b.spill, err = newSpill(filepath.Join(b.dir, "spill"), b.now.Truncate(time.Minute).Add(-time.Millisecond)); err != nil {
		return err
	}
	return b.run(ctx, names, keep, t)
}

// run reads, writes and publishes.
func (b *backfill) run(ctx context.Context, names []string, keep state.Store, t terminal) error {
	b.bar = newProgress(t.err, b.o.size(ctx, names), megabytes)
	s := &logsSummary{}
	failed := b.o.each(ctx, names, t.in, b.read, s)
	b.bar.end()
	b.out.Problems, b.out.Label = s.Problems, b.label
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("it was interrupted, and nothing was written: %w", err)
	}
	if len(b.commit.IDs) > 0 {
		if err := b.write(ctx, t.err); err != nil {
			return fmt.Errorf("nothing was written: %w", err)
		}
		if err := b.publish(ctx, keep, b.dir); err != nil {
			return err
		}
	}
	if b.o.output == "json" {
		text, _ := json.MarshalIndent(b.out, "", "  ") // plain data
		fmt.Fprintf(t.out, "%s\n", text)
	} else {
		b.out.write(plain{t.out})
	}
	return failed
}

func (x *backfilled) write(w io.Writer) {
	fmt.Fprintf(w, "%s written: %d lines counted, %d rejected\n", plural(x.Logs, "log"), x.Counted, x.Rejected)
	if x.Duplicates > 0 {
		fmt.Fprintf(w, "%s were written before\n", plural(x.Duplicates, "log"))
	}
	if x.Live > 0 {
		fmt.Fprintf(w, "%s were counted as they came\n", plural(x.Live, "log"))
	}
	if x.Logs > 0 {
		fmt.Fprintf(w, "from %s to %s: %d samples of %d series with %s=%q in %s\n", x.First.Format(time.RFC3339), x.Last.Format(time.RFC3339), x.Samples, x.Series, backfillLabel, x.Label, plural(x.Blocks, "block"))
		fmt.Fprintln(w, "a narthex that runs shows them within ten seconds")
	}
	if x.Refused > 0 {
		fmt.Fprintf(w, "%d series had no room (limits.series)\n", x.Refused)
	}
	for _, p := range x.Problems {
		fmt.Fprintf(w, "not written: %s: %s\n", p.Name, p.Error)
	}
}

// read puts aside what a log came to.
func (b *backfill) read(ctx context.Context, l logInput) error {
	size := int64(-1)
	body := l.body
	if l.id == "" {
		var err error
		if size, err = b.known.Uncounted(l.name, b.now); err != nil {
			return err
		}
		if size == 0 {
			b.out.Live++
			return nil
		}
		body = io.LimitReader(body, size)
	} else if b.skip(l.id) {
		return nil
	}
	h := sha256.New()
	counts, err := b.reader.ReadParts(ctx, l.name, counting{io.TeeReader(body, h), b.bar}, func(c *accesslog.Counts) error { return b.putAside(l.name, c) })
	id := l.id
	if id == "" {
		id = "content:" + hex.EncodeToString(h.Sum(nil))
	}
	if err == nil {
		err = b.unfit(l.name, &counts.Report)
	}
	if err == nil && !b.skip(id) {
		if err = b.putAside(l.name, counts); err == nil {
			b.took(l, id, size, &counts.Report)
			return nil
		}
	}
	b.spill.drop()
	return err
}

// skip reports whether a log is in the store already, and notes it.
func (b *backfill) skip(id string) bool {
	written, live := b.known.Known(id)
	switch {
	case written || b.taken[id]:
		b.out.Duplicates++
	case live:
		b.out.Live++
	default:
		return false
	}
	return true
}

// took notes a log all of which is put aside.
func (b *backfill) took(l logInput, id string, size int64, r *accesslog.Report) {
	b.spill.keep()
	b.commit.IDs, b.taken[id] = append(b.commit.IDs, id), true
	if l.id == "" {
		if f, plain := logs.PlainFile(l.name, size); plain {
			b.commit.Files = append(b.commit.Files, f)
		}
	}
	b.out.Logs++
	b.out.Lines, b.out.Counted, b.out.Rejected = b.out.Lines+r.Lines, b.out.Counted+r.Counted, b.out.Rejected+r.Rejected
	if b.out.First.IsZero() || r.First.Before(b.out.First) && !r.First.IsZero() {
		b.out.First = r.First
	}
	if r.Last.After(b.out.Last) {
		b.out.Last = r.Last
	}
}

// putAside keeps counts until all logs are read. Samples that are no increments,
// which EMF has, are left out: they have no total. A log that is too old is left out
// before it makes a file for each two hours since 1970.
func (b *backfill) putAside(name string, c *accesslog.Counts) error {
	series := c.Series()
	oldest := b.now.Add(-b.c.Storage.Retention).Truncate(time.Minute).UnixMilli()
	for i := range series {
		s := &series[i]
		for _, x := range s.Samples {
			if x.Time != 0 && x.Time < oldest {
				return b.tooOld(name, time.UnixMilli(x.Time))
			}
		}
		for _, l := range b.so.Labels {
			s.Labels = s.Labels.With(l.Name, l.Value)
		}
		s.Labels = s.Labels.With(backfillLabel, b.label)
		s.Samples = slices.DeleteFunc(s.Samples, func(x narthex.Sample) bool { return x.Time == 0 })
	}
	return b.spill.add(slices.DeleteFunc(series, func(s narthex.Series) bool { return len(s.Samples) == 0 || s.As != narthex.AsDelta }))
}

// unfit says why a log can't be written at its own times, or nil.
func (b *backfill) unfit(name string, r *accesslog.Report) error {
	switch oldest := b.now.Add(-b.c.Storage.Retention); {
	case r.Counted == 0:
	case r.First.IsZero():
		return narthex.Errorf(narthex.Invalid, "%s does not tell when requests ended, so that they have no times of their own", name)
	case r.First.Before(oldest):
		return b.tooOld(name, r.First)
	}
	return nil
}

func (b *backfill) tooOld(name string, t time.Time) error {
	keep := b.c.Storage.Retention
	return narthex.Errorf(narthex.Invalid, "%s tells of requests of %s, but the store keeps samples since %s only: raise storage.retention (%s), or leave the log out",
		name, t.UTC().Format(time.RFC3339), b.now.Add(-keep).UTC().Format(time.RFC3339), keep)
}

// recover finishes runs that were cut off while they were published, and removes
// what is left of others.
func (b *backfill) recover(ctx context.Context, keep state.Store) error {
	runs, err := os.ReadDir(filepath.Join(b.c.Data, "backfill"))
	if err != nil {
		return err
	}
	for _, run := range runs {
		if !run.IsDir() {
			continue
		}
		dir := filepath.Join(b.c.Data, "backfill", run.Name())
		data, err := os.ReadFile(filepath.Join(dir, commitFile))
		if err == nil && json.Unmarshal(data, &b.commit) == nil {
			if err := b.publish(ctx, keep, dir); err != nil {
				return err
			}
			b.commit = backfillCommit{}
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// publish gives the store what a run has made, and remembers its logs.
func (b *backfill) publish(ctx context.Context, keep state.Store, dir string) error {
	ctx = context.WithoutCancel(ctx)
	if err := tsdb.Publish(filepath.Join(dir, "blocks"), filepath.Join(b.c.Data, "tsdb")); err != nil {
		return err
	}
	known, err := logs.OpenBackfill(ctx, keep, b.commit.Source)
	if err == nil {
		err = known.Add(ctx, b.commit.Label, b.commit.IDs, b.commit.Files)
	}
	if err != nil {
		return fmt.Errorf("the blocks are in the store, but which logs they are of is not yet remembered: %w; run it again", err)
	}
	return os.RemoveAll(dir)
}

// write makes blocks of what is put aside, and then says that they are whole.
func (b *backfill) write(ctx context.Context, bar io.Writer) (err error) {
	blocks, err := tsdb.NewBlocks(filepath.Join(b.dir, "blocks"))
	if err != nil {
		return err
	}
	defer blocks.Abandon()
	if err := b.totals(ctx, blocks, bar); err != nil {
		return err
	}
	if b.out.Blocks, b.out.Samples, err = blocks.Close(ctx); err != nil {
		return err
	}
	b.commit.Source, b.commit.Label = b.so.Name, b.label
	data, err := json.Marshal(b.commit)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(b.dir, commitFile+".new"))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(b.dir, commitFile)); err != nil {
		return err
	}
	// On the disk before a block is moved: a power cut would else leave some of them.
	return state.SyncDir(b.dir)
}

// totals adds up the increments as the ledger does that of logs with event_time:
// minute by minute, each total at its minute's end, so that the series begin, rest
// and end as live ones do.
func (b *backfill) totals(ctx context.Context, blocks *tsdb.Blocks, w io.Writer) error {
	s, p := ledger.NewState(), ledger.Policy{
		Settle: b.c.Ledger.Settle, Heartbeat: b.c.Ledger.Heartbeat, Idle: b.c.Ledger.Idle,
		Forget: 100 * 365 * 24 * time.Hour, MaxSeries: b.c.Limits.Series,
	}
	files := b.spill.files()
	bar := newProgress(w, int64(len(files)), func(n int64) string { return plural(int(n), "block") })
	defer bar.end()
	now := b.now.Truncate(time.Minute).UnixMilli()
	beyond := 1 + (p.Idle.Milliseconds()+spillLength-1)/spillLength // in which series come to their ends
	for i, n := range files {
		for ; ; n++ {
			if err := b.twoHours(ctx, s, p, n, min((n+1)*spillLength, now), blocks); err != nil {
				return err
			}
			if i+1 < len(files) && n+1 >= files[i+1] || n+1 > files[i]+beyond {
				break
			}
		}
		bar.add(1)
	}
	b.out.Series, _ = s.Sizes()
	return nil
}

// twoHours writes the minutes of one file of the spill.
func (b *backfill) twoHours(ctx context.Context, s *ledger.State, p ledger.Policy, n, end int64, blocks *tsdb.Blocks) error {
	const lateness = minute
	first := n * spillLength
	err := b.spill.each(n, func(e *ledger.Entry) error {
		out, err := s.Fold(e, first+lateness, p)
		b.out.Refused += len(out.Rejected)
		return err
	})
	if err != nil {
		return fmt.Errorf("add up: %w", err)
	}
	for t := first + minute; t <= end; t += minute {
		if err := ctx.Err(); err != nil {
			return err
		}
		leads, _ := s.Tick(t+lateness, p)
		s.Confirm(t + lateness)
		if err := blocks.Write(ctx, leads); err != nil {
			return err
		}
	}
	return blocks.Finish(ctx, first)
}
