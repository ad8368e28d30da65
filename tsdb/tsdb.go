// Package tsdb is the embedded store: Prometheus's TSDB as a [narthex.Sink] and
// as a storage for queries.
//
// [Open] a directory, write batches with [DB.Write], and hand the DB to the
// query engine: it is a storage.Queryable and a storage.ExemplarQueryable.
//
// Write is stricter than the TSDB under it. With an out-of-order window the
// TSDB accepts another value for an existing time without a word, and which of
// the two wins may change when blocks are compacted. Here the first value stays
// and the second is rejected; the same value again is done already. One bad
// sample never takes the rest of its batch with it.
package tsdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	promtsdb "github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/compression"
)

// DefaultRetention is how long samples are kept when [Options] doesn't say.
const DefaultRetention = 30 * 24 * time.Hour

// Options of a [DB]. The zero value works.
type Options struct {
	// Retention is how long samples are kept; 0 is [DefaultRetention].
	Retention time.Duration
	// OutOfOrderTimeWindow is how much older than the store's newest sample (of
	// any series) a sample may be that isn't newer than its own series; 0 takes
	// samples in order only.
	OutOfOrderTimeWindow time.Duration
	// StartTimestamps keeps each sample's start time beside it. It is off
	// because Prometheus calls the encoding it needs experimental, and older
	// releases can't read such blocks.
	StartTimestamps bool
	// Logger takes the store's own messages; nil discards them.
	Logger *slog.Logger
	// Registerer takes the TSDB's metrics (prometheus_tsdb_*); it may be nil.
	Registerer prometheus.Registerer
	// Now is the clock that decides what lies in the future; nil is time.Now.
	Now func() time.Time

	files opener
	free  func(dir string) (bytes uint64, ok bool)
}

func (o Options) withDefaults() Options {
	if o.Retention <= 0 {
		o.Retention = DefaultRetention
	}
	if o.OutOfOrderTimeWindow < 0 {
		o.OutOfOrderTimeWindow = 0
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.files == nil {
		o.files = openFile
	}
	if o.free == nil {
		o.free = freeBytes
	}
	return o
}

// maxExemplars is the size of the exemplars' ring, which is kept in memory.
const maxExemplars = 100_000

// stripes are those of the TSDB's map of series, a map each. Prometheus has 16,384,
// for millions of series and scrapes that add to them side by side; here writes come
// one after another, and so many maps take up some 9 MiB for 20,000 series.
const stripes = 512

// inner returns the options of the TSDB itself.
func (o Options) inner() *promtsdb.Options {
	p := promtsdb.DefaultOptions()
	p.RetentionDuration = o.Retention.Milliseconds()
	// As Prometheus does: blocks grow to a tenth of the retention, 31 d at most.
	p.MaxBlockDuration = max(p.MinBlockDuration, min(o.Retention/10, 31*24*time.Hour).Milliseconds())
	p.OutOfOrderTimeWindow = o.OutOfOrderTimeWindow.Milliseconds()
	p.BlockReloadInterval = 10 * time.Second // for blocks that are published
	p.WALCompression = compression.Snappy
	p.StripeSize = stripes
	p.EnableExemplarStorage = true
	p.MaxExemplars = maxExemplars
	if o.StartTimestamps {
		p.EnableSTStorage = true
		p.EnableHistogramSTEncoding = true
		p.FloatChunkEncoding = chunkenc.EncXOR2
	}
	return p
}

// DB is an open store. Its methods may be called from several goroutines.
type DB struct {
	opts     Options
	dir      string
	inner    *promtsdb.DB
	metrics  *prometheus.Registry
	families *families

	mu     sync.Mutex // serialises Write, so that looking up and appending are one step
	closed bool

	syncing rounds

	// What Write keeps from call to call.
	known   knowns
	turn    uint64 // the number of the write
	scratch scratch
}

// Open opens the store in dir, which it creates if need be. What a predecessor
// left behind that was killed is repaired. One process at a time may hold dir.
func Open(dir string, o Options) (*DB, error) {
	o = o.withDefaults()
	reg := prometheus.NewRegistry()
	po := o.inner()
	var head atomic.Pointer[promtsdb.Head]
	// Before Prometheus makes it, for all to read.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	if err := secure(dir, o.files); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	po.BlockCompactionExcludeFunc = func(b *promtsdb.BlockMeta) bool { return tooEarly(b, head.Load()) }
	inner, err := promtsdb.Open(dir, o.Logger, reg, po, nil)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("open store %s: another process is using it: stop that one or choose another data directory: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	head.Store(inner.Head())
	if o.Registerer != nil {
		if err := o.Registerer.Register(reg); err != nil {
			return nil, errors.Join(fmt.Errorf("open store %s: register its metrics: %w", dir, err), inner.Close())
		}
	}
	fam, err := loadFamilies(filepath.Join(dir, familiesFile))
	if err != nil {
		o.Logger.Warn("types and help texts of metrics are lost and will be learned again", "err", err)
	}
	db := &DB{opts: o, dir: dir, inner: inner, metrics: reg, families: fam}
	if err := db.Sync(); err != nil { // and so has the logs' files open from their beginning
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), db.Close())
	}
	return db, nil
}

// tooEarly reports whether a block of late samples must not be merged with others
// yet, because the head still holds samples of its time. The merged block would
// no longer be marked as out of order, and when the store is opened the
// write-ahead log is replayed only from the end of the last block that isn't:
// the head's samples before that would be lost (seen with v0.315.0).
func tooEarly(b *promtsdb.BlockMeta, head *promtsdb.Head) bool {
	return b.Compaction.FromOutOfOrder() && (head == nil || b.MaxTime > head.MinTime())
}

// Close writes what is pending and releases the directory. A Write that comes
// later gets an error of kind narthex.Unavailable. Closing twice is harmless.
func (db *DB) Close() error {
	defer db.syncing.release()
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	if db.opts.Registerer != nil {
		db.opts.Registerer.Unregister(db.metrics)
	}
	if err := errors.Join(db.families.save(), db.inner.Close()); err != nil {
		return fmt.Errorf("close store %s: %w", db.dir, err)
	}
	return nil
}

// Querier returns a querier for samples from mint to maxt, both included, in
// milliseconds since the epoch. The caller closes it.
func (db *DB) Querier(mint, maxt int64) (storage.Querier, error) {
	return db.inner.Querier(mint, maxt)
}

// ExemplarQuerier returns a querier for the exemplars.
func (db *DB) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	return db.inner.ExemplarQuerier(ctx)
}
