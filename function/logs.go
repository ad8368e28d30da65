package function

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"narthex"
	"narthex/app"
	"narthex/config"
	"narthex/lambda"
	"narthex/logs"
	"narthex/shard"
	"narthex/state"
)

// access is the access logs that the function is told of.
type access struct {
	n *instance

	mu      sync.Mutex
	sources map[string]*logs.Source // by name, opened at first use
}

// setUpLogs has the function count the logs that it is told of.
func (n *instance) setUpLogs(f *lambda.Function) {
	a := &access{n: n, sources: make(map[string]*logs.Source)}
	f.Object, f.CloudWatch = a.object, a.cloudWatch
}

// list returns the configured sources; without any there is one with all
// defaults, which takes whatever the function is told of.
func (a *access) list() []config.LogSource {
	if len(a.n.c.Logs) == 0 {
		return []config.LogSource{{Source: "logs", SamplingRate: 100}}
	}
	return a.n.c.Logs
}

// source returns the source that is for the address, the one with the longest
// from that it begins with.
func (a *access) source(ctx context.Context, address string) (*logs.Source, error) {
	var best *config.LogSource
	var known []string
	for _, c := range a.list() {
		known = append(known, c.From)
		if covers(c.From, address) && (best == nil || len(c.From) > len(best.From)) {
			best = &c
		}
	}
	if best == nil {
		slices.Sort(known)
		return nil, narthex.Errorf(narthex.Invalid, "%s is from none of the configured logs: there are %s", address, strings.Join(known, ", "))
	}
	l, err := a.n.ledger(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sources[best.Source]; s != nil {
		return s, nil
	}
	return a.open(ctx, *best, l)
}

// covers reports whether an address is below a source's from. A bucket's name is
// compared whole: that of another may begin with it, and be somebody else's.
func covers(from, address string) bool {
	if bucket, ok := strings.CutPrefix(from, "s3://"); ok && bucket != "" && !strings.Contains(bucket, "/") {
		from += "/"
	}
	return strings.HasPrefix(address, from)
}

// open opens a source.
func (a *access) open(ctx context.Context, c config.LogSource, l *shard.Shards) (*logs.Source, error) {
	store, err := state.Open(ctx, a.n.c.Ledger.State, state.Options{})
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	o := app.SourceOptions(a.n.c, c)
	o.Sink, o.Spread, o.Keep, o.Logger = l, l.Groups() > 1, store, a.n.logger
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
	session, err := a.n.session()
	if err != nil {
		return err
	}
	r, err := s.S3Object(ctx, session.S3(), logs.S3Object{Bucket: o.Bucket, Key: o.Key, ETag: o.ETag, Time: o.Time})
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
	log := a.n.logger.With("source", r.Source, "object", r.Name, "id", r.ID)
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
