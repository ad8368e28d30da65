package tsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	"narthex"
)

// Blocks writes samples of the past as blocks, into a directory of their own from
// which [Publish] moves them into a store: one that is open as well as one that is
// not. Samples come by time, more or less: see [Blocks.Finish].
//
// The blocks are marked as made of late samples. A store that is opened replays its
// log from the end of the newest block that isn't marked so: one that reaches into
// what the head has would lose the head's samples before its end.
type Blocks struct {
	dir      string
	open     map[int64]*promtsdb.BlockWriter // by number, see blockLength
	families *families
	builder  labels.ScratchBuilder
	samples  int64
	blocks   int
}

// blockLength is that of the blocks that a head makes.
const blockLength = promtsdb.DefaultBlockDuration

// NewBlocks makes blocks in dir, which it creates.
func NewBlocks(dir string) (*Blocks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make blocks: %w", err)
	}
	f, _ := loadFamilies(filepath.Join(dir, moreFamiliesFile)) // there is none yet
	return &Blocks{dir: dir, open: make(map[int64]*promtsdb.BlockWriter), families: f}, nil
}

// Write adds samples. Those of a series come in order.
func (b *Blocks) Write(ctx context.Context, in []narthex.Series) error {
	byBlock := make(map[int64][]narthex.Series)
	for _, s := range in {
		for i, x := range s.Samples {
			n := x.Time / blockLength
			one := s
			one.Samples = s.Samples[i : i+1]
			byBlock[n] = append(byBlock[n], one)
		}
	}
	b.families.learn(in)
	for _, n := range slices.Sorted(maps.Keys(byBlock)) {
		if err := b.write(ctx, n, byBlock[n]); err != nil {
			return fmt.Errorf("make blocks in %s: %w", b.dir, err)
		}
	}
	return nil
}

func (b *Blocks) write(ctx context.Context, n int64, in []narthex.Series) error {
	w := b.open[n]
	if w == nil {
		var err error
		if w, err = promtsdb.NewBlockWriter(slog.New(slog.DiscardHandler), b.dir, blockLength); err != nil {
			return err
		}
		b.open[n] = w
	}
	app := w.AppenderV2(ctx)
	for _, s := range in {
		x := &s.Samples[0]
		v, err := valueOf(x, s.Type)
		ls := convert(&b.builder, s.Labels)
		if err == nil {
			err = check(ls)
		}
		if err == nil {
			_, err = app.Append(0, ls, x.Start, x.Time, v.f, v.h, v.fh, storage.AOptions{})
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s at %s: %w", s.Labels, stamp(x.Time), err), app.Rollback())
		}
		b.samples++
	}
	return app.Commit()
}

// Finish completes the blocks that end at or before a time in ms: no sample of theirs
// comes any more.
func (b *Blocks) Finish(ctx context.Context, before int64) error {
	for _, n := range slices.Sorted(maps.Keys(b.open)) {
		if (n+1)*blockLength > before {
			continue
		}
		w := b.open[n]
		delete(b.open, n)
		id, err := w.Flush(ctx)
		if err == nil {
			err = markLate(filepath.Join(b.dir, id.String()))
		}
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("make a block in %s: %w", b.dir, err)
		}
		b.blocks++
	}
	return nil
}

// Close completes all blocks and returns how many there are, with how many samples.
func (b *Blocks) Close(ctx context.Context) (blocks int, samples int64, err error) {
	err = b.Finish(ctx, 1<<62)
	if err == nil {
		err = b.families.save()
	}
	return b.blocks, b.samples, err
}

// Abandon lets go of blocks that are not complete.
func (b *Blocks) Abandon() {
	for _, w := range b.open {
		w.Close() // of memory and of a directory for a while
	}
	clear(b.open)
}

// markLate marks a block as made of late samples.
func markLate(block string) error {
	file := filepath.Join(block, "meta.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var meta promtsdb.BlockMeta
	if err := json.Unmarshal(data, &meta); err != nil {
		return err
	}
	meta.Compaction.SetOutOfOrder()
	if data, err = json.MarshalIndent(&meta, "", "\t"); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Publish moves the blocks in dir into the store, which need not exist. A store that
// is open shows them a little later ([Options] say when it looks). Calling it again,
// after it failed or was killed, moves what is left.
func Publish(dir, store string) error {
	if err := os.MkdirAll(store, 0o700); err != nil {
		return fmt.Errorf("publish blocks: %w", err)
	}
	if err := addFamilies(filepath.Join(dir, moreFamiliesFile), filepath.Join(store, moreFamiliesFile)); err != nil {
		return fmt.Errorf("publish blocks: %w", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("publish blocks: %w", err)
	}
	for _, e := range list {
		if !e.IsDir() {
			continue
		}
		if err := os.Rename(filepath.Join(dir, e.Name()), filepath.Join(store, e.Name())); err != nil {
			return fmt.Errorf("publish a block: %w", err)
		}
	}
	if err := syncPath(store, openFile); err != nil { // only then may be forgotten where they came from
		return fmt.Errorf("publish blocks: %w", err)
	}
	return nil
}
