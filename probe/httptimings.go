package probe

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// timings is an [http.RoundTripper] that takes the time of each request and each of
// its steps.
type timings struct {
	next http.RoundTripper

	mu    sync.Mutex
	trips []*trip
}

// trip is when the steps of a request were done; a step that was not has no time.
type trip struct {
	tls                                                        bool
	start, dnsDone, connectDone, gotConn, responseStart, ended time.Time
	tlsStart, tlsDone                                          time.Time
}

// RoundTrip implements [http.RoundTripper].
func (t *timings) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.trips = append(t.trips, &trip{tls: r.URL.Scheme == "https"})
	t.mu.Unlock()
	return t.next.RoundTrip(r)
}

// note gives the time to a step of the current trip.
func (t *timings) note(step func(p *trip, now time.Time)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.trips); n > 0 {
		step(t.trips[n-1], time.Now())
	}
}

// done says that the body has been read.
func (t *timings) done() { t.note(func(p *trip, now time.Time) { p.ended = now }) }

// watch returns a context whose requests are timed.
func (t *timings) watch(ctx context.Context) context.Context {
	return traced(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { t.note(func(p *trip, now time.Time) { p.start = now }) },
		DNSDone:  func(httptrace.DNSDoneInfo) { t.note(func(p *trip, now time.Time) { p.dnsDone = now }) },
		ConnectStart: func(string, string) {
			t.note(func(p *trip, now time.Time) {
				if p.dnsDone.IsZero() { // there was an address, and nothing to look up
					p.start, p.dnsDone = now, now
				}
			})
		},
		ConnectDone: func(_, _ string, err error) {
			t.note(func(p *trip, now time.Time) {
				if err == nil || p.connectDone.IsZero() {
					p.connectDone = now
				}
			})
		},
		GotConn:              func(httptrace.GotConnInfo) { t.note(func(p *trip, now time.Time) { p.gotConn = now }) },
		GotFirstResponseByte: func() { t.note(func(p *trip, now time.Time) { p.responseStart = now }) },
		TLSHandshakeStart:    func() { t.note(func(p *trip, now time.Time) { p.tlsStart = now }) },
		TLSHandshakeDone: func(tls.ConnectionState, error) {
			t.note(func(p *trip, now time.Time) { p.tlsDone = now })
		},
	})
}

// report adds the phases of all trips up. The time that the target's own name took
// is counted already.
func (t *timings) report(phases *gauge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, p := range t.trips {
		if i > 0 {
			add(phases, "resolve", p.start, p.dnsDone)
		}
		if p.gotConn.IsZero() {
			continue
		}
		if p.tls {
			add(phases, "connect", p.dnsDone, p.connectDone)
			add(phases, "tls", p.tlsStart, p.tlsDone)
		} else {
			add(phases, "connect", p.dnsDone, p.gotConn)
		}
		add(phases, "processing", p.gotConn, p.responseStart)
		add(phases, "transfer", p.responseStart, p.ended)
	}
}

// add adds the time between two steps, if both were done.
func add(phases *gauge, phase string, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() {
		phases.With(phase).Add(to.Sub(from).Seconds())
	}
}
