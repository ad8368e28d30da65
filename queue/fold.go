package queue

import (
	"context"
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
}

// atOnce is how many bytes of messages are unpacked at a time; one message may
// have more. Unpacked they can take dozens of times as much.
const atOnce = 1 << 20

// Fold counts what the messages hold, all at once unless they are large, and
// returns those that are not done with: those that could not be counted now, and
// those that can't be read. A message of which nothing may be counted, however
// often it comes, is done with: what was rejected stands in the outcomes of the
// shards.
func Fold(ctx context.Context, f Folder, list []Message) (failed []Failure) {
	for len(list) > 0 {
		n, size := 1, len(list[0].Body)
		for n < len(list) && size+len(list[n].Body) <= atOnce {
			size += len(list[n].Body)
			n++
		}
		failed = append(failed, fold(ctx, f, list[:n])...)
		list = list[n:]
	}
	return failed
}

func fold(ctx context.Context, f Folder, list []Message) (failed []Failure) {
	entries := make([]*ledger.Entry, 0, len(list))
	ids := make([]string, 0, len(list))
	for _, m := range list {
		e, err := Decode(m.Body)
		if err != nil {
			failed = append(failed, Failure{m.ID, err})
			continue
		}
		entries, ids = append(entries, e), append(ids, m.ID)
	}
	if len(entries) == 0 {
		return failed
	}
	for i, r := range f.Fold(ctx, entries) {
		if r.Err != nil && !narthex.IsRejected(r.Err) {
			failed = append(failed, Failure{ids[i], r.Err})
		}
	}
	return failed
}
