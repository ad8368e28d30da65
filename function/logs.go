package function

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/lambda"
	"narthex/logs"
	"narthex/shard"
	"narthex/state"
)

// access is the access logs that the function is told of.
type access struct {
	s    *serverless
	list []logSource

	mu      sync.Mutex
	sources map[string]*logs.Source // by name, opened at first use
	s3      *aws.S3
}

// setUpLogs has the function count the logs that it is told of.
func (s *serverless) setUpLogs(f *lambda.Function) {
	list, err := readLogs(s.logs)
	if err != nil {
		s.logger.Error("the logs' settings are wrong, and no log is counted", "err", err)
		err = narthex.Errorf(narthex.Unavailable, "the logs' settings are wrong: %w", err)
		f.Object = func(context.Context, lambda.Object) error { return err }
		f.CloudWatch = func(context.Context, []byte) error { return err }
		return
	}
	a := &access{s: s, list: list, sources: make(map[string]*logs.Source)}
	f.Object, f.CloudWatch = a.object, a.cloudWatch
}

// source returns the source that is for the address, the one with the longest
// from that it begins with, and the ledger's store.
func (a *access) source(ctx context.Context, address string) (*logs.Source, error) {
	var best *logSource
	var known []string
	for i := range a.list {
		c := &a.list[i]
		known = append(known, c.From)
		if strings.HasPrefix(address, c.From) && (best == nil || len(c.From) > len(best.From)) {
			best = c
		}
	}
	if best == nil {
		slices.Sort(known)
		return nil, narthex.Errorf(narthex.Invalid, "%s is from none of the logs that NARTHEX_LOGS tells of: there are %s", address, strings.Join(known, ", "))
	}
	l, err := a.s.ledger(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sources[best.Source]; s != nil {
		return s, nil
	}
	return a.open(ctx, best, l)
}

// open opens a source.
func (a *access) open(ctx context.Context, c *logSource, l *shard.Shards) (*logs.Source, error) {
	store, err := state.Open(ctx, a.s.state, state.Options{})
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	o.Sink, o.Spread, o.Keep, o.Logger = l, l.Groups() > 1, store, a.s.logger
	o.Known = func(ctx context.Context, identity, id string) (bool, error) {
		_, known, err := l.Lookup(ctx, identity, id)
		return known, err
	}
	s, err := logs.New(ctx, o)
	if err == nil {
		a.sources[c.Source] = s
	}
	return s, err
}

// object counts an object. What can never be counted is told to the log and done
// with; a dead-letter queue is for what may be counted yet.
func (a *access) object(ctx context.Context, o lambda.Object) error {
	s, err := a.source(ctx, "s3://"+o.Bucket+"/"+o.Key)
	if err != nil {
		return err
	}
	s3, err := a.client()
	if err != nil {
		return err
	}
	r, err := s.S3Object(ctx, s3, logs.S3Object{Bucket: o.Bucket, Key: o.Key, ETag: o.ETag, Time: o.Time})
	return a.told(ctx, r, err)
}

// cloudWatch counts a subscription's message.
func (a *access) cloudWatch(ctx context.Context, data []byte) error {
	address, err := logs.CloudWatchGroup(data)
	if err != nil || address == "" {
		return a.told(ctx, &logs.Receipt{}, err)
	}
	s, err := a.source(ctx, "cloudwatch:"+address)
	if err != nil {
		return err
	}
	r, err := s.CloudWatch(ctx, data, time.Time{})
	return a.told(ctx, r, err)
}

// told logs what became of an object.
func (a *access) told(ctx context.Context, r *logs.Receipt, err error) error {
	rep := &r.Report
	log := a.s.logger.With("source", r.Source, "object", r.Name, "id", r.ID)
	switch {
	case narthex.IsRejected(err):
		log.ErrorContext(ctx, "a log is not counted, and would not be if it came again", "err", err)
		return nil
	case err != nil:
		return err
	}
	log.InfoContext(ctx, "log", "format", rep.Format, "lines", rep.Lines, "counted", rep.Counted, "rejected", rep.Rejected,
		"duplicate", r.Duplicate, "series", r.Series, "entries", r.Entries, "bytes", rep.Bytes)
	for _, e := range rep.Examples {
		log.WarnContext(ctx, "a line can't be read", "line", e.Line, "reason", e.Reason)
	}
	for _, x := range r.Rejected {
		log.WarnContext(ctx, "a series was refused", "series", x.Series, "reason", x.Reason)
	}
	return nil
}

// client returns what reads objects.
func (a *access) client() (*aws.S3, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.s3 == nil {
		session, err := aws.Open(aws.Options{})
		if err != nil {
			return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
		}
		a.s3 = session.S3()
	}
	return a.s3, nil
}
