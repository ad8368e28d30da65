package queue

import (
	"context"
	"errors"
	"fmt"

	"narthex"
	"narthex/ledger"
	"narthex/shard"
)

// Message is one that SQS has handed out.
type Message struct {
	ID   string // SQS's
	Body string
}

// Failure is a message that is not done with: SQS is to hand it out again, or,
// once it has done so often enough, to move it to the dead-letter queue.
type Failure struct {
	ID  string
	Err error
}

// Error says which and why.
func (f Failure) Error() string { return fmt.Sprintf("message %s: %v", f.ID, f.Err) }

// Unwrap returns why.
func (f Failure) Unwrap() error { return f.Err }

// Folder counts entries; [shard.Shards] is one.
type Folder interface {
	Fold(ctx context.Context, entries []*ledger.Entry) []shard.Result
	// Known reports whether the entry with the id was counted.
	Known(ctx context.Context, id ledger.ID) (bool, error)
}

// AtOnce is how many bytes of messages are unpacked at a time by default; one message
// may have more. Unpacked they can take dozens of times as much.
const AtOnce = 1 << 20

// Fold counts what the messages hold, atOnce bytes of them at a time (0 is
// [AtOnce]), for which each group of the totals is read and written once. It
// returns those that are not done with: those that could not be counted now, and
// those that can't be read. A message of which nothing may be counted, however
// often it comes, is done with: what was rejected stands in the outcomes of the
// shards. bodies has what was too large for a message; nil is none.
func Fold(ctx context.Context, f Folder, bodies *Bodies, atOnce int, list []Message) (failed []Failure) {
	if atOnce == 0 {
		atOnce = AtOnce
	}
	w := &folding{Folder: f, bodies: bodies}
	for len(list) > 0 {
		n, size := 1, weight(list[0])
		for n < len(list) && size+weight(list[n]) <= atOnce {
			size += weight(list[n])
			n++
		}
		w.fold(ctx, list[:n])
		list = list[n:]
	}
	return w.failed
}

// weight is how many bytes a message has, those of an object that it names
// included, which are more than fit into a message.
func weight(m Message) int {
	if _, _, ok := parseBody(m.Body); ok {
		return maxMessage
	}
	return len(m.Body)
}

// folding is one call of Fold.
type folding struct {
	Folder
	bodies *Bodies
	failed []Failure
}

func (w *folding) fail(m Message, err error) { w.failed = append(w.failed, Failure{m.ID, err}) }

func (w *folding) fold(ctx context.Context, list []Message) {
	var entries []*ledger.Entry
	var from []Message
	for _, m := range list {
		e, err := w.read(ctx, m.Body)
		switch {
		case err != nil:
			w.fail(m, err)
		case e != nil:
			entries, from = append(entries, e), append(from, m)
		}
	}
	if len(entries) == 0 {
		return
	}
	for i, r := range w.Fold(ctx, entries) {
		if r.Err != nil && !narthex.IsRejected(r.Err) {
			w.fail(from[i], r.Err)
			continue
		}
		if name, _, ok := parseBody(from[i].Body); ok {
			// It is counted: an object that stays is only one to expire.
			_ = w.bodies.remove(ctx, name)
		}
	}
}

// read returns the entry of a message, nil if there is nothing left to do: its
// object was deleted because it is counted.
func (w *folding) read(ctx context.Context, body string) (*ledger.Entry, error) {
	name, id, ok := parseBody(body)
	if !ok {
		return Decode(body)
	}
	if w.bodies == nil {
		return nil, errors.New("the push lies in S3, and this function is not told where (lambda.bodies)")
	}
	e, gone, err := w.bodies.get(ctx, name)
	if !gone {
		return e, err
	}
	known, failed := w.Known(ctx, id)
	switch {
	case failed != nil:
		return nil, failed
	case known:
		return nil, nil
	}
	return nil, fmt.Errorf("the push is lost, unless it is sent again: %w", err)
}
