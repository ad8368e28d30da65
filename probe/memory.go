package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/state"
)

// memory is which series were written of which target, so that one that is not
// there any more ends with a stale marker: in this process, in the next one, in
// another instance of a function. It is saved when it changes, before what changed
// is written.
type memory struct {
	store state.Store // nil: it is not kept
	key   string

	mu     sync.Mutex
	entry  state.Entry
	series map[string]map[string]bool // keys of series (narthex.Labels.AppendKey) by target
	ending map[string][]string        // series whose markers are under way, by target
}

// maxMemory bounds what is read of a store, in bytes.
const maxMemory = 64 << 20

// openMemory loads what is known of the region's series.
func openMemory(ctx context.Context, store state.Store, region string) (*memory, error) {
	if region == "" {
		region = "here"
	}
	m := &memory{store: store, key: "probe/" + region + "/series"}
	return m, m.load(ctx)
}

func (m *memory) load(ctx context.Context) error {
	m.series, m.ending = make(map[string]map[string]bool), make(map[string][]string)
	if m.store == nil {
		return nil
	}
	var err error
	if m.entry, err = m.store.Load(ctx, m.key); err != nil {
		return fmt.Errorf("probes: load which series there are: %w", err)
	}
	if m.entry.Data == nil {
		return nil
	}
	saved := make(map[string][][]byte)
	z, err := gzip.NewReader(bytes.NewReader(m.entry.Data))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(z, maxMemory)).Decode(&saved)
	}
	if err != nil {
		return fmt.Errorf("probes: %s can't be read: %w; delete it, and series of targets that have left end after five minutes", m.key, err)
	}
	for target, keys := range saved {
		m.series[target] = make(map[string]bool)
		for _, k := range keys {
			m.series[target][string(k)] = true
		}
	}
	return nil
}

// refresh loads what another instance has saved in the meantime.
func (m *memory) refresh(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	series := m.series
	err := m.load(ctx)
	if err != nil || m.store == nil {
		m.series = series
	}
	return err
}

func (m *memory) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.series) == 0
}

// change takes what was found of targets, at which times, and returns the markers
// of what ended: series that a target has no more, and all of targets that are not
// current.
func (m *memory) change(ctx context.Context, current map[string]bool, found map[string][]narthex.Series, at map[string]time.Time, now time.Time) ([]narthex.Series, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ending = make(map[string][]string) // of a write that failed: they are found again
	err := m.merge(ctx, found)
	if errors.Is(err, state.ErrConflict) { // another instance was faster
		if err = m.load(ctx); err == nil {
			err = m.merge(ctx, found)
		}
	}
	var ended []narthex.Series
	for target := range m.series {
		when, probed := at[target]
		if !probed && current[target] {
			continue
		}
		if !probed {
			when = now
		}
		if len(found[target]) == len(m.series[target]) { // all of them are there: merge has added those
			continue
		}
		there := make(map[string]bool)
		for _, s := range found[target] {
			there[string(s.Labels.AppendKey(nil))] = true
		}
		for key := range m.series[target] {
			if labels, bad := narthex.ParseKey(key); !there[key] && bad == nil {
				ended = append(ended, marker(labels, when))
				m.ending[target] = append(m.ending[target], key)
			}
		}
	}
	slices.SortStableFunc(ended, func(a, b narthex.Series) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
	return ended, err
}

func marker(labels narthex.Labels, at time.Time) narthex.Series {
	return narthex.Series{Labels: labels, Type: narthex.TypeGauge, Samples: []narthex.Sample{{Time: at.UnixMilli(), Value: narthex.StaleMarker()}}}
}

// merge adds what was found and saves that if it is new.
func (m *memory) merge(ctx context.Context, found map[string][]narthex.Series) error {
	changed := false
	var key []byte
	for target, series := range found {
		if m.series[target] == nil {
			m.series[target] = make(map[string]bool, len(series))
		}
		for _, s := range series {
			if key = s.Labels.AppendKey(key[:0]); !m.series[target][string(key)] {
				m.series[target][string(key)], changed = true, true
			}
		}
	}
	if !changed {
		return nil
	}
	return m.save(ctx)
}

// settle forgets the series whose markers were written.
func (m *memory) settle(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ending) == 0 {
		return nil
	}
	for target, keys := range m.ending {
		for _, k := range keys {
			delete(m.series[target], k)
		}
		if len(m.series[target]) == 0 {
			delete(m.series, target)
		}
	}
	m.ending = make(map[string][]string)
	if err := m.save(ctx); err != nil && !errors.Is(err, state.ErrConflict) {
		return err // of a conflict: the markers are written once more, which does no harm
	}
	return nil
}

func (m *memory) save(ctx context.Context) error {
	if m.store == nil {
		return nil
	}
	saved := make(map[string][][]byte, len(m.series))
	for target, keys := range m.series {
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			saved[target] = append(saved[target], []byte(k)) // no UTF-8
		}
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(z).Encode(saved), z.Close()); err != nil {
		return err
	}
	entry, err := m.store.Save(ctx, m.key, m.entry, b.Bytes())
	if err != nil {
		return fmt.Errorf("probes: save which series there are: %w", err)
	}
	m.entry = entry
	return nil
}
