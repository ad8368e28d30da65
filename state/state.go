// Package state keeps small values that several writers may change, each only
// if nobody else has changed it since: compare and swap. It is where the
// ledger's checkpoints live.
//
//	s, err := state.Open(ctx, "s3://bucket/narthex", state.Options{})
//	old, err := s.Load(ctx, "shard/000")
//	now, err := s.Save(ctx, "shard/000", old, data)
//	if errors.Is(err, state.ErrConflict) { ... } // load again, apply again, save again
//
// [Memory] is for tests, [File] for one machine, [S3] and [DynamoDB] for
// functions and for several machines. A write to S3 or DynamoDB whose answer
// was lost is recognised when it is sent again, so that ErrConflict always
// means that the value was not saved.
package state

import (
	"context"
	"errors"
)

// Entry is a value and the version it has in its store.
type Entry struct {
	Data    []byte // nil: there is no value
	Version string // "" for a value that does not exist
}

// ErrConflict says that the value was changed since it was loaded. Load it
// again, apply the change again, and save that.
var ErrConflict = errors.New("the value was changed by another writer")

// Store is a map from keys to values with compare and swap.
//
// All methods may be called from several goroutines. They are serialisable for
// one key: a Load that begins after a Save has returned sees its value or a
// later one, also from another process and after a crash.
type Store interface {
	// Load returns the value of key. A key without a value is not an error: it
	// gives the zero Entry. Keys are made of letters, digits, '.', '_', '-' and
	// '/'.
	Load(ctx context.Context, key string) (Entry, error)
	// Save sets the value of key to data and returns the new entry, or
	// [ErrConflict] if the value is no longer prev. Nil data deletes the value.
	// When Save returns nil the change is durable; after any other error than
	// ErrConflict it may have happened or not.
	Save(ctx context.Context, key string, prev Entry, data []byte) (Entry, error)
}
