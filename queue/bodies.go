package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"

	"narthex/internal/aws"
	"narthex/ledger"
)

// Bodies is where entries are kept that are too large for a message: objects of
// S3 below a prefix. An object's name is the entry's id and a hash of what it
// holds, so that a push that is sent again is the same object, and another under
// the same id is not.
//
// An object is deleted once its entry is counted, and remembered: a message that
// comes again then finds no object, but the id. What is left behind by those who
// were killed on the way is for a rule of the bucket to expire, after longer than
// the queue keeps messages.
type Bodies struct {
	S3             *aws.S3
	Bucket, Prefix string
}

// NewBodies returns the place that s3://bucket/prefix names.
func NewBodies(s3 *aws.S3, address string) (*Bodies, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(address, "s3://"), "/")
	if !strings.HasPrefix(address, "s3://") || bucket == "" {
		return nil, fmt.Errorf("%q is not s3://bucket/prefix", address)
	}
	return &Bodies{s3, bucket, strings.Trim(prefix, "/")}, nil
}

func (b *Bodies) key(name string) string { return path.Join(b.Prefix, name) }

// put keeps a packed entry and returns the body of the message for it.
func (b *Bodies) put(ctx context.Context, id ledger.ID, packed []byte) (body string, err error) {
	sum := sha256.Sum256(packed)
	name := hex.EncodeToString(id[:]) + "-" + hex.EncodeToString(sum[:8])
	_, err = b.S3.Put(ctx, b.Bucket, b.key(name), packed, aws.PutOptions{ContentType: "application/octet-stream"})
	return markBody + name, err
}

// parseBody returns the object that a message names, false if it names none.
func parseBody(body string) (name string, id ledger.ID, ok bool) {
	name, ok = strings.CutPrefix(body, markBody)
	digits, sum, cut := strings.Cut(name, "-")
	b, err := hex.DecodeString(digits)
	if _, bad := hex.DecodeString(sum); !ok || !cut || err != nil || bad != nil || len(b) != len(id) || len(sum) != 16 {
		return "", id, false
	}
	copy(id[:], b)
	return name, id, true
}

// get returns the entry of an object. gone tells that there is no such object.
func (b *Bodies) get(ctx context.Context, name string) (e *ledger.Entry, gone bool, err error) {
	o, err := b.S3.Get(ctx, b.Bucket, b.key(name), aws.GetOptions{Limit: maxEntry})
	if err != nil {
		return nil, errors.Is(err, aws.ErrNotFound), err
	}
	e, err = unpack(o.Data)
	return e, false, err
}

// remove deletes an object whose entry is counted.
func (b *Bodies) remove(ctx context.Context, name string) error {
	return b.S3.Delete(ctx, b.Bucket, b.key(name))
}
