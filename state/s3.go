package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"narthex/internal/aws"
)

const (
	// objectLimit is the size of the largest value read from S3, in bytes.
	objectLimit = 512 << 20
	// The names of an object's user metadata.
	metaNonces  = "narthex-nonces"
	metaDeleted = "narthex-deleted"
)

// S3 is a Store in a bucket: one object a key, replaced if its etag is still
// the one that was read. It works with AWS and with every server that honours
// If-Match and If-None-Match on PUT.
//
// The credentials need s3:GetObject and s3:PutObject on the prefix, and
// s3:ListBucket on the bucket, without which S3 answers 403 rather than 404 for
// a key that does not exist.
//
// A deleted value leaves an object without content behind. Not every server
// has a conditional DELETE, and of an object that is gone nobody could tell who
// deleted it when the answer to that was lost.
//
// Two values that are equal have the same version.
type S3 struct {
	s3             *aws.S3
	bucket, prefix string
}

// NewS3 returns the store of the objects prefix/key in a bucket.
func NewS3(s *aws.Session, bucket, prefix string) *S3 {
	return &S3{s.S3(), bucket, prefix}
}

// Load implements [Store].
func (s *S3) Load(ctx context.Context, key string) (Entry, error) {
	name, err := join(s.prefix, key)
	if err != nil {
		return Entry{}, err
	}
	o, err := s.s3.Get(ctx, s.bucket, name, aws.GetOptions{Limit: objectLimit})
	if missing(err) {
		return Entry{}, nil
	}
	if errors.Is(err, aws.ErrDenied) {
		return Entry{}, fmt.Errorf("load state: %w; s3:GetObject and, for keys that do not exist yet, s3:ListBucket must be allowed", err)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("load state: %w", err)
	}
	if deleted(o.ObjectInfo) {
		return Entry{}, nil
	}
	if o.ETag == "" {
		return Entry{}, fmt.Errorf("load state: s3://%s/%s has no etag: this server can't compare and swap", s.bucket, name)
	}
	return Entry{Data: o.Data, Version: version(o.ETag, past(o.ObjectInfo))}, nil
}

// Save implements [Store].
func (s *S3) Save(ctx context.Context, key string, prev Entry, data []byte) (Entry, error) {
	name, err := join(s.prefix, key)
	if err != nil {
		return Entry{}, err
	}
	etag, before, _ := strings.Cut(prev.Version, " ")
	if prev.Version != "" {
		return s.put(ctx, name, etag, history(before), data)
	}
	if data == nil {
		return unmade(s.Load(ctx, key))
	}
	e, err := s.put(ctx, name, "", "", data)
	if !errors.Is(err, ErrConflict) {
		return e, err
	}
	// A deleted value is no value, and may be replaced as if there were none.
	now, herr := s.s3.Head(ctx, s.bucket, name)
	switch {
	case missing(herr):
		return Entry{}, err
	case herr != nil:
		return Entry{}, fmt.Errorf("save state: %w", herr)
	case !deleted(now):
		return Entry{}, err
	}
	return s.put(ctx, name, now.ETag, past(now), data)
}

// put replaces the object with an etag, or makes it if the etag is "". Nil
// data stands for a deleted value.
func (s *S3) put(ctx context.Context, name, etag string, before history, data []byte) (Entry, error) {
	after, nonce := before.next()
	// Some servers add the metadata to those of the object before, so that
	// "deleted" has to be said both ways.
	o := aws.PutOptions{IfMatch: etag, ContentType: "application/octet-stream", Metadata: map[string]string{
		metaNonces: string(after), metaDeleted: strconv.FormatBool(data == nil),
	}}
	if etag == "" {
		o.IfNoneMatch = "*"
	}
	content := data
	if data == nil {
		content = []byte("deleted " + nonce + "\n") // so that each has an etag of its own
	}
	made, err := s.s3.Put(ctx, s.bucket, name, content, o)
	if err == nil {
		return saved(data, version(made, after)), nil
	}
	if !errors.Is(err, aws.ErrPrecondition) && !missing(err) {
		return Entry{}, fmt.Errorf("save state: %w", err)
	}
	if !repeated(err) {
		return Entry{}, ErrConflict
	}
	now, herr := s.s3.Head(ctx, s.bucket, name)
	if herr != nil && !missing(herr) {
		return Entry{}, fmt.Errorf("save state: find out whether a write whose answer was lost has been done: %w", herr)
	}
	switch err := before.repeated(nonce, past(now)); {
	case errors.Is(err, ErrConflict):
		return Entry{}, err
	case err != nil:
		return Entry{}, fmt.Errorf("save state: %w", err)
	case past(now) == after:
		return saved(data, version(now.ETag, after)), nil
	}
	return saved(data, version(`"superseded"`, after)), nil
}

// missing reports whether an object is not there, though its bucket is.
func missing(err error) bool {
	var e *aws.Error
	return errors.Is(err, aws.ErrNotFound) && !(errors.As(err, &e) && e.Code == "NoSuchBucket")
}

// repeated reports whether a request was sent more than once, so that it may
// have been refused because it had been done.
func repeated(err error) bool {
	var e *aws.Error
	return errors.As(err, &e) && e.Attempts > 1
}

func deleted(o aws.ObjectInfo) bool { return o.Metadata[metaDeleted] == "true" }

func past(o aws.ObjectInfo) history { return history(o.Metadata[metaNonces]) }

// version is what names an object's state: what it must match to be replaced,
// and the writes before.
func version(etag string, h history) string { return etag + " " + string(h) }

// saved is the entry after a save.
func saved(data []byte, version string) Entry {
	if data == nil {
		return Entry{}
	}
	return Entry{Data: data, Version: version}
}

// unmade is the result of the deletion of a value that was not there before.
func unmade(now Entry, err error) (Entry, error) {
	if err == nil && now.Version != "" {
		err = ErrConflict
	}
	return Entry{}, err
}
