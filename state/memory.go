package state

import (
	"bytes"
	"context"
	"strconv"
	"sync"
)

// Memory is a Store that lasts as long as its process. The zero Memory is
// empty and ready.
type Memory struct {
	mu     sync.Mutex
	values map[string]Entry
	saves  uint64
}

// Load implements [Store].
func (m *Memory) Load(_ context.Context, key string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.values[key]
	return Entry{Data: bytes.Clone(e.Data), Version: e.Version}, nil
}

// Save implements [Store].
func (m *Memory) Save(_ context.Context, key string, prev Entry, data []byte) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values[key].Version != prev.Version {
		return Entry{}, ErrConflict
	}
	if data == nil {
		delete(m.values, key)
		return Entry{}, nil
	}
	if m.values == nil {
		m.values = make(map[string]Entry)
	}
	m.saves++
	e := Entry{Data: bytes.Clone(data), Version: strconv.FormatUint(m.saves, 10)}
	m.values[key] = e
	return e, nil
}
