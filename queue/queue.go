// Package queue is the ledger's log where there is no disk: Amazon SQS.
//
// [Sink] sends what was pushed as a message, and has it acknowledged once SQS
// keeps it. [Fold] counts messages that SQS hands out, as it may do several
// times and in any order: what a message holds bears the id of its push, which
// the totals remember, so it counts once.
//
//	push ─► Sink ─► SQS ─► Fold ─► shard.Shards
//
// What is too large for a message goes to S3 ([Bodies]), and the message has its
// name.
//
// A queue for it keeps messages for a day at least, hides one for six times the
// fold's timeout while it is folded, and moves it to a dead-letter queue after
// ten receives or more: fewer would give up pushes while the store is away.
package queue

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/klauspost/compress/s2"

	"narthex/ledger"
)

// A message's body is a mark, which says how the rest is to be read, and the
// rest. A narthex that does not know a mark leaves the message to one that does,
// or to the dead-letter queue.
const (
	markEntry = "narthex1:" // base64 of an entry's encoding, packed as an s2 block
	markBody  = "narthex1@" // the name of an object of Bodies, which has that block
)

// maxMessage is how many bytes SQS takes in a message. Source: "Amazon SQS
// message quotas": 1 MiB since August 2025.
const maxMessage = 1 << 20

// maxEntry bounds what a message is unpacked to, in bytes. No push that was
// taken comes near it: the doors take 10 MiB.
const maxEntry = 64 << 20

// pack returns an entry's encoding, packed.
func pack(e *ledger.Entry) []byte { return s2.EncodeBetter(nil, e.Encode()) }

// message returns the body of the message for a packed entry.
func message(packed []byte) string {
	var b strings.Builder
	b.Grow(len(markEntry) + base64.StdEncoding.EncodedLen(len(packed)))
	b.WriteString(markEntry)
	w := base64.NewEncoder(base64.StdEncoding, &b)
	_, _ = w.Write(packed) // to memory
	_ = w.Close()
	return b.String()
}

// Decode returns the entry that a message's body holds.
func Decode(body string) (*ledger.Entry, error) {
	rest, ok := strings.CutPrefix(body, markEntry)
	if !ok {
		return nil, fmt.Errorf("the message does not begin with %q: it is none of narthex's, or of a newer one", markEntry)
	}
	packed, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return nil, fmt.Errorf("the message is damaged: %w", err)
	}
	return unpack(packed)
}

// unpack returns the entry that is packed in a block.
func unpack(packed []byte) (*ledger.Entry, error) {
	if n, err := s2.DecodedLen(packed); err != nil || n > maxEntry {
		return nil, errors.New("the message is damaged: the length it says of itself is impossible")
	}
	b, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("the message is damaged: %w", err)
	}
	e, err := ledger.DecodeEntry(b)
	if err != nil {
		return nil, fmt.Errorf("the message is damaged, or of a newer narthex: %w", err)
	}
	return e, nil
}
