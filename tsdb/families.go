package tsdb

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/metadata"

	"narthex"
)

const (
	// familiesFile is a JSON object: metric name to {type, unit, help}.
	familiesFile = "narthex_metadata.json"
	// maxFamilies and maxHelp bound what is remembered, maxFamiliesFile what is
	// read back.
	maxFamilies     = 100_000
	maxHelp         = 1 << 10
	maxFamiliesFile = 256 << 20
	// saveEvery is the least time between two saves. What a crash loses is
	// learned again from the next push.
	saveEvery = 10 * time.Second
)

// families remembers the type, unit and help text of metrics by name. The TSDB
// has no place for them.
type families struct {
	path string

	mu     sync.RWMutex
	byName map[string]metadata.Metadata
	dirty  bool
	saved  time.Time

	looked, publishedAt time.Time // see published
}

// loadFamilies reads the file. With an error it returns empty families that
// will replace the file.
func loadFamilies(path string) (*families, error) {
	f := &families{path: path, byName: map[string]metadata.Metadata{}}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	defer file.Close()
	var read map[string]metadata.Metadata
	if err := json.NewDecoder(io.LimitReader(file, maxFamiliesFile)).Decode(&read); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	if read != nil {
		f.byName = read
	}
	return f, nil
}

// learn remembers what the series say of their metrics. Beyond maxFamilies new
// names are not remembered.
func (f *families) learn(all []narthex.Series) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range all {
		s := &all[i]
		if s.Type == narthex.TypeUnknown && s.Unit == "" && s.Help == "" {
			continue
		}
		name := cmp.Or(s.Family, s.Labels.Get(narthex.MetricName))
		old, known := f.byName[name]
		m := metadata.Metadata{Type: model.MetricType(s.Type.String()), Unit: clip(s.Unit), Help: clip(s.Help)}
		if m == old || name == "" || len(name) > maxHelp || !known && len(f.byName) >= maxFamilies {
			continue
		}
		// Cloned: they may share the memory of a whole request.
		m.Unit, m.Help = strings.Clone(m.Unit), strings.Clone(m.Help)
		f.byName[strings.Clone(name)] = m
		f.dirty = true
	}
}

// clip bounds a text from outside and makes it UTF-8.
func clip(s string) string {
	if len(s) > maxHelp {
		s = s[:maxHelp]
	}
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// saveIfDue saves changes, unless the last save was a moment ago.
func (f *families) saveIfDue(now time.Time) error {
	f.mu.RLock()
	due := f.dirty && now.Sub(f.saved) >= saveEvery
	f.mu.RUnlock()
	if !due {
		return nil
	}
	f.mu.Lock()
	f.saved = now
	f.mu.Unlock()
	return f.save()
}

// save writes the file if something changed, so that a reader sees the old one
// or the new one and never half of it.
func (f *families) save() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dirty {
		return nil
	}
	data, err := json.Marshal(f.byName)
	if err != nil {
		return fmt.Errorf("save %s: %w", f.path, err)
	}
	tmp := f.path + ".new"
	if err := errors.Join(os.WriteFile(tmp, data, 0o666), os.Rename(tmp, f.path)); err != nil {
		return fmt.Errorf("save %s: %w", f.path, err)
	}
	f.dirty = false
	return nil
}

// Metadata returns what the store knows of a metric, by name, or of all metrics
// if name is empty. The map is the caller's.
func (db *DB) Metadata(name string) map[string]metadata.Metadata {
	db.families.published(filepath.Join(db.dir, moreFamiliesFile), time.Now())
	db.families.mu.RLock()
	defer db.families.mu.RUnlock()
	if name == "" {
		return maps.Clone(db.families.byName)
	}
	out := map[string]metadata.Metadata{}
	if m, ok := db.families.byName[name]; ok {
		out[name] = m
	}
	return out
}
