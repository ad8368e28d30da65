package tsdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"
)

// moreFamiliesFile has what was published with blocks of the past: the store that is
// open writes familiesFile itself.
const moreFamiliesFile = "narthex_metadata_published.json"

// addFamilies adds what is in one file to another.
func addFamilies(from, to string) error {
	more, err := loadFamilies(from)
	if err != nil {
		return err
	}
	have, err := loadFamilies(to)
	if err != nil {
		return err
	}
	maps.Copy(more.byName, have.byName)
	data, err := json.Marshal(more.byName)
	if err != nil {
		return fmt.Errorf("save %s: %w", to, err)
	}
	if err := os.WriteFile(to+".new", data, 0o666); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}

// lookEvery is how often it is looked for what was published.
const lookEvery = 5 * time.Second

// published learns what was published, if there is news.
func (f *families) published(file string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.looked) < lookEvery {
		return
	}
	f.looked = now
	info, err := os.Stat(file)
	if err != nil || info.ModTime().Equal(f.publishedAt) {
		return
	}
	f.publishedAt = info.ModTime()
	more, err := loadFamilies(file)
	if err != nil {
		return // half written, or damaged: types and help texts are not worth an error
	}
	for name, m := range more.byName {
		if _, known := f.byName[name]; !known && len(f.byName) < maxFamilies {
			f.byName[name], f.dirty = m, true
		}
	}
}
