package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/state"
)

// S3ID is the id of an object in S3.
func S3ID(bucket, key, etag string) string {
	return "s3:" + bucket + "/" + key + "@" + strings.Trim(etag, `"`)
}

// S3Object is an object that there is news of.
type S3Object struct {
	Bucket, Key string
	ETag        string // "" is whatever it has
	Time        time.Time
}

// overwrites remembers the etags of the last objects, to tell when one was
// overwritten.
type overwrites struct {
	etags map[string]string
	order []string
}

const maxOverwrites = 10_000

// seen notes an object and reports whether it had another etag before.
func (o *overwrites) seen(name, etag string) bool {
	before, known := o.etags[name]
	if !known {
		if o.etags == nil {
			o.etags = make(map[string]string)
		}
		if o.order = append(o.order, name); len(o.order) > maxOverwrites {
			delete(o.etags, o.order[0])
			o.order = o.order[1:]
		}
	}
	o.etags[name] = etag
	return known && before != etag
}

// S3Object reads an object and counts it. The errors are those of
// [Source.Object]. An object that is gone, or was overwritten since it was told
// of, is passed over: the one that took its place has an event of its own.
func (s *Source) S3Object(ctx context.Context, s3 *aws.S3, o S3Object) (*Receipt, error) {
	name := "s3://" + o.Bucket + "/" + o.Key
	body, info, err := s3.Open(ctx, o.Bucket, o.Key, aws.GetOptions{IfMatch: quoted(o.ETag)})
	skip := ""
	switch {
	case errors.Is(err, aws.ErrNotFound):
		skip = "gone"
	case errors.Is(err, aws.ErrPrecondition):
		skip = "overwritten"
	case err != nil:
		return s.failed(name, narthex.Errorf(narthex.Unavailable, "open %s: %w", name, err))
	}
	if skip != "" {
		s.o.Stats.skip(s.o.Name, skip)
		s.o.Logger.WarnContext(ctx, "a log is not there any more as it was told of, and is not counted", "object", name, "etag", o.ETag, "found", skip)
		return &Receipt{Source: s.o.Name, ID: S3ID(o.Bucket, o.Key, o.ETag), Name: name, Received: s.o.Now()}, nil
	}
	defer body.Close()
	s.mu.Lock()
	again := s.overwrite.seen(name, info.ETag)
	s.mu.Unlock()
	if again {
		s.o.Stats.skip(s.o.Name, "rewritten")
		s.o.Logger.WarnContext(ctx, "a log was overwritten; what it has now counts beside what it had", "object", name)
	}
	received := o.Time
	if received.IsZero() {
		received = info.Modified
	}
	r, err := s.Object(ctx, Object{ID: S3ID(o.Bucket, o.Key, info.ETag), Name: o.Key, Received: received, Body: body})
	if err != nil && narthex.KindOf(err) == 0 { // cut off, most likely on the way
		err = narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	return r, err
}

// failed counts an object that could not even be opened.
func (s *Source) failed(name string, err error) (*Receipt, error) {
	r := &Receipt{Source: s.o.Name, Name: name, Received: s.o.Now(), Error: err.Error()}
	s.o.Stats.add(r, err)
	return r, err
}

// quoted returns an etag as S3 wants it in a condition; events have it bare.
func quoted(etag string) string {
	if etag == "" || strings.HasPrefix(etag, `"`) {
		return etag
	}
	return `"` + etag + `"`
}

// ParseS3 returns the bucket and the prefix of s3://bucket/prefix.
func ParseS3(address string) (bucket, prefix string, ok bool) {
	rest, ok := strings.CutPrefix(address, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	return bucket, prefix, ok && bucket != ""
}

// Bucket reads the objects below a prefix, those that come later too.
type Bucket struct {
	s              *Source
	s3             *aws.S3
	bucket, prefix string
	since          time.Duration
	entry          state.Entry
	seen           map[string]time.Time // by id: when the object was written
}

// NewBucket returns a bucket's reader with what it remembers. Objects older than
// since (0 is 24 h) are left out.
func NewBucket(ctx context.Context, s *Source, s3 *aws.S3, address string, since time.Duration) (*Bucket, error) {
	bucket, prefix, ok := ParseS3(address)
	if !ok {
		return nil, fmt.Errorf("%q is no address of a bucket: want s3://bucket/prefix", address)
	}
	if since <= 0 {
		since = 24 * time.Hour
	}
	b := &Bucket{s: s, s3: s3, bucket: bucket, prefix: prefix, since: since, seen: make(map[string]time.Time)}
	var err error
	if b.entry, err = s.o.Keep.Load(ctx, s.key("objects")); err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "load which objects were read: %w", err)
	}
	if b.entry.Data != nil {
		if err := json.Unmarshal(b.entry.Data, &b.seen); err != nil {
			return nil, fmt.Errorf("what is known of objects that were read is damaged: %w", err)
		}
	}
	return b, nil
}

// Run polls at each interval until ctx ends.
func (b *Bucket) Run(ctx context.Context, interval time.Duration) {
	every(ctx, interval, func() {
		if err := b.Poll(ctx); err != nil && ctx.Err() == nil {
			b.s.o.Logger.Warn("not all logs were read; they are tried again", "err", err)
		}
	})
}

// Poll lists the prefix and reads what is new.
func (b *Bucket) Poll(ctx context.Context) error {
	if err := b.s.lookForBackfill(ctx); err != nil {
		return err
	}
	oldest := b.s.o.Now().Add(-b.since)
	var first error
	for info, err := range b.s3.All(ctx, b.bucket, aws.ListOptions{Prefix: b.prefix}) {
		if err != nil {
			return errors.Join(fmt.Errorf("list s3://%s/%s: %w", b.bucket, b.prefix, err), first, b.save(ctx, oldest))
		}
		id := S3ID(b.bucket, info.Key, info.ETag)
		if _, known := b.seen[id]; known || b.s.backfill.has(id) || info.Modified.Before(oldest) || info.Size == 0 || strings.HasSuffix(info.Key, "/") {
			continue
		}
		_, err := b.s.S3Object(ctx, b.s3, S3Object{Bucket: b.bucket, Key: info.Key, ETag: info.ETag, Time: info.Modified})
		if narthex.IsRejected(err) {
			b.s.o.Logger.ErrorContext(ctx, "a log is not counted", "object", info.Key, "err", err)
		} else if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		b.seen[id] = info.Modified
	}
	return errors.Join(first, b.save(ctx, oldest))
}

// save keeps which objects were read, but for those that are too old anyhow. It
// only spares reading them again: the sink knows their ids.
func (b *Bucket) save(ctx context.Context, oldest time.Time) error {
	for id, modified := range b.seen {
		if modified.Before(oldest.Add(-time.Hour)) {
			delete(b.seen, id)
		}
	}
	data, err := json.Marshal(b.seen)
	if err != nil || string(data) == string(b.entry.Data) {
		return err
	}
	e, err := b.s.o.Keep.Save(ctx, b.s.key("objects"), b.entry, data)
	if err != nil {
		return narthex.Errorf(narthex.Unavailable, "keep which objects were read: %w", err)
	}
	b.entry = state.Entry{Data: data, Version: e.Version}
	return nil
}
