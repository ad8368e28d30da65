package remotewrite

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"narthex"
)

// Client sends batches to one remote-write receiver. It is a [narthex.Sink] and
// may be used from several goroutines.
//
// What a nil from [Client.Write] means: the receiver has each series, or it is
// in the batch's Rejected with what the receiver said, or, of totals, a newer
// one is there. Trouble that may pass (5xx, 429, the network) is retried within
// the context's deadline and the options' bounds and is then an error of kind
// [narthex.Unavailable]; so are a wrong address and wrong credentials, because a
// mistake in the configuration must not lose data. A batch that failed may be
// written again: receivers take the same sample at the same time twice.
type Client struct {
	o        Options
	endpoint *endpoint
	seed     maphash.Seed
	own      *http.Transport // if no other was given
	slots    chan struct{}
	workers  sync.Pool // of *worker
	plans    sync.Pool // of *plan
	stats    stats

	closing   context.Context // done once the client is closed
	close     context.CancelFunc
	confirmed atomic.Bool  // the receiver has answered 2.0 as 2.0 wants it
	noV2Until atomic.Int64 // ms
	answers5  atomic.Bool  // the receiver says 5xx where it should refuse
	proven    atomic.Bool  // it has taken a request
	doubts    atomic.Int64 // refusals before that which may be the whole request's

	metaMu   sync.Mutex
	metaSent map[string]int64 // by family, ms
}

// New returns a client. It does not touch the network.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	e, err := newEndpoint(&o)
	if err != nil {
		return nil, err
	}
	if o.Version > V2 {
		return nil, fmt.Errorf("remote write to %s: version %d is neither 1.0 nor 2.0", e.shown, o.Version)
	}
	if o.Name == "" {
		o.Name = e.shown
	}
	c := &Client{o: o, endpoint: e, seed: maphash.MakeSeed(), slots: make(chan struct{}, o.Concurrency), metaSent: make(map[string]int64)}
	c.closing, c.close = context.WithCancel(context.Background())
	c.o.Logger = o.Logger.With("remote_write", o.Name)
	if o.Transport == nil {
		c.own = http.DefaultTransport.(*http.Transport).Clone()
		c.own.MaxIdleConnsPerHost = o.Concurrency
		c.o.Transport = c.own
	}
	return c, nil
}

// Write sends the batch. See [Client] and [narthex.Sink].
func (c *Client) Write(ctx context.Context, b *narthex.Batch) error {
	if c.closing.Err() != nil {
		return narthex.Errorf(narthex.Unavailable, "remote write to %s: narthex is stopping", c.o.Name)
	}
	d := &delivery{c: c, ctx: ctx, totals: b.Totals}
	p, _ := c.plans.Get().(*plan)
	if p == nil {
		p = &plan{options: &c.o, seed: c.seed}
	}
	p.reject = d.reject
	p.lay(b)
	d.parts = p.parts
	if !c.o.NoMetadata && c.version() == V1 {
		d.metadata = c.dueMetadata(p.parts)
	}
	d.run()
	if d.err == nil { // else the whole batch comes again
		b.Rejected = append(b.Rejected, d.rejected...)
	}
	p.forget()
	c.plans.Put(p)
	return d.err
}

// Close ends the client. A Write that is under way finishes the attempt that it
// is at, and makes no other.
func (c *Client) Close() error {
	c.close()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	return nil
}

// maxDoubts is how many refusals of a receiver that has taken nothing yet are
// taken for its own mistake, or the configuration's, before samples are looked
// for that it won't have: a specification that knows no poisoned batches wants no
// second request after a 400.
const maxDoubts = 2

// version returns the protocol that the next request speaks.
func (c *Client) version() Version {
	switch {
	case c.o.Version == V1, c.o.Version == 0 && c.endpoint.amazon:
		return V1
	case c.o.Now().UnixMilli() < c.noV2Until.Load():
		return V1
	}
	return V2
}

// fallBack makes the client speak 1.0 for some hours.
func (c *Client) fallBack(why string) {
	now := c.o.Now()
	before := c.noV2Until.Swap(now.Add(c.o.RetryV2).UnixMilli())
	c.confirmed.Store(false)
	if before > now.UnixMilli() {
		return // another goroutine found out at the same time
	}
	c.stats.add(func(n *Stats) { n.Fallbacks++ })
	c.o.Logger.Info("the receiver does not take remote write 2.0: 1.0 is used", "why", why, "again_after", c.o.RetryV2)
}

// The bounds of the metadata that 1.0 sends beside the samples.
const (
	maxMetadata = 500    // families in a request
	maxFamilies = 20_000 // remembered
)

// dueMetadata returns a series of each metric family whose metadata was not sent
// for a while.
func (c *Client) dueMetadata(parts []part) (due []*narthex.Series) {
	now := c.o.Now().UnixMilli()
	c.metaMu.Lock()
	defer c.metaMu.Unlock()
	for i := range parts {
		s := parts[i].series
		if s.Type == narthex.TypeUnknown && s.Help == "" && s.Unit == "" {
			continue
		}
		name := family(s)
		if sent, ok := c.metaSent[name]; ok && now-sent < c.o.MetadataEvery.Milliseconds() {
			continue
		}
		if len(c.metaSent) >= maxFamilies {
			clear(c.metaSent)
		}
		c.metaSent[name] = now
		if due = append(due, s); len(due) == maxMetadata {
			break
		}
	}
	return due
}

// delivery is one Write under way.
type delivery struct {
	c        *Client
	ctx      context.Context
	totals   bool
	parts    []part
	metadata []*narthex.Series
	failed   atomic.Bool

	mu       sync.Mutex
	rejected []narthex.Rejection
	err      error
}

// run sends the parts by several workers if there is enough for that. Each series
// is one worker's, so that its samples leave in order.
func (d *delivery) run() {
	samples := 0
	for i := range d.parts {
		samples += len(d.parts[i].samples)
	}
	if samples == 0 {
		return
	}
	n := min(d.c.o.Concurrency, (samples+d.c.o.MaxSamples-1)/d.c.o.MaxSamples)
	if n == 1 {
		d.work(0, 1)
		return
	}
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() { d.work(k, n) })
	}
	all.Wait()
}

// work sends the k-th of n shares.
func (d *delivery) work(k, n int) {
	w, _ := d.c.workers.Get().(*worker)
	if w == nil {
		w = new(worker)
	}
	w.delivery, w.enc.bare = d, d.c.o.NoMetadata
	if err := w.share(uint64(k), uint64(n)); err != nil {
		d.fail(err)
	}
	w.forget()
	d.c.workers.Put(w)
}

func (d *delivery) fail(err error) {
	d.failed.Store(true)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	now := d.c.o.Now()
	d.c.stats.add(func(n *Stats) { n.LastError, n.LastFailure = err.Error(), now })
}

// reject notes that a series, or a sample of it, can't be sent at all.
func (d *delivery) reject(s *narthex.Series, reason string) {
	d.c.stats.refuse(ReasonInvalid, 1)
	d.note(s, reason)
}

func (d *delivery) note(s *narthex.Series, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rejected = append(d.rejected, narthex.Rejection{Series: s.Labels.String(), Reason: reason})
}

// stored accounts for samples of a refused request that the receiver has.
func (d *delivery) stored(samples int) {
	d.c.stats.add(func(n *Stats) { n.Samples += uint64(samples) })
}

// settle accounts for a part that the receiver refused.
func (d *delivery) settle(p *part, reason Reason, text string) {
	switch {
	case reason == ReasonSame:
		d.stored(len(p.samples))
		return
	case d.totals && reason.superseded():
		d.c.stats.add(func(n *Stats) { n.Superseded += uint64(len(p.samples)) })
		d.c.o.Logger.LogAttrs(d.ctx, slog.LevelDebug, "total superseded", slog.Any("series", p.series.Labels), slog.String("reason", reason.String()))
		return
	}
	d.c.stats.refuse(reason, len(p.samples))
	which := "the sample at " + stamp(p.samples[0].Time)
	if n := len(p.samples); n > 1 {
		which = fmt.Sprintf("some of the %d samples from %s to %s", n, stamp(p.samples[0].Time), stamp(p.samples[n-1].Time))
	}
	d.note(p.series, fmt.Sprintf("%s refused %s: %s (it said %s)", d.c.o.Name, which, reason.sentence(), said(text)))
}
