package probe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
)

// stage is how far a request has come, so that a failure can say it.
type stage struct {
	mu sync.Mutex
	at Phase
}

func (s *stage) reached(p Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = p
}

func (s *stage) phase() Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == "" {
		return PhaseConnect
	}
	return s.at
}

// traced returns a context whose requests tell trace of their progress, beside their
// stage. [httptrace.WithClientTrace] would join the two by reflection, for each probe.
func traced(ctx context.Context, trace *httptrace.ClientTrace) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

type traceKey struct{}

// watch returns a copy of the request that tells the stage of its progress, and the
// trace that it may have.
func (s *stage) watch(r *http.Request) *http.Request {
	trace, _ := r.Context().Value(traceKey{}).(*httptrace.ClientTrace)
	if trace == nil {
		trace = new(httptrace.ClientTrace)
	}
	both := *trace
	both.DNSStart = func(i httptrace.DNSStartInfo) {
		s.reached(PhaseDNS)
		if trace.DNSStart != nil {
			trace.DNSStart(i)
		}
	}
	both.ConnectStart = func(network, address string) {
		s.reached(PhaseConnect)
		if trace.ConnectStart != nil {
			trace.ConnectStart(network, address)
		}
	}
	both.TLSHandshakeStart = func() {
		s.reached(PhaseTLS)
		if trace.TLSHandshakeStart != nil {
			trace.TLSHandshakeStart()
		}
	}
	both.GotConn = func(i httptrace.GotConnInfo) {
		s.reached(PhaseRequest)
		if trace.GotConn != nil {
			trace.GotConn(i)
		}
	}
	both.WroteRequest = func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			s.reached(PhaseResponse)
		}
		if trace.WroteRequest != nil {
			trace.WroteRequest(i)
		}
	}
	return r.Clone(httptrace.WithClientTrace(r.Context(), &both))
}

// asRequestFailure says why a request failed that had come to a phase.
func asRequestFailure(ctx context.Context, at Phase, err error) error {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	reason := ReasonProtocol
	switch text := err.Error(); {
	case isTLSError(err):
		at, reason = PhaseTLS, tlsReason(ctx, err)
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		at, reason = PhaseTLS, ReasonNotTLS
	case strings.Contains(text, "unsupported protocol scheme"):
		at, reason = PhaseResponse, ReasonRedirects
	case strings.Contains(text, "proxyconnect"), strings.HasPrefix(text, "socks connect"):
		at, reason = PhaseConnect, ReasonProxy
	}
	if r := reasonOf(ctx, err); reason == ReasonProtocol && r != ReasonOther {
		reason = r
	} else if reason == ReasonProtocol && at == PhaseTLS {
		reason = ReasonHandshake
	}
	return &Failure{Phase: at, Reason: reason, Err: err}
}
