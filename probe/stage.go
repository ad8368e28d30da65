package probe

import (
	"context"
	"crypto/tls"
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

// watch returns a copy of the request that tells the stage of its progress, beside
// the trace that it may have.
func (s *stage) watch(r *http.Request) *http.Request {
	return r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { s.reached(PhaseDNS) },
		ConnectStart:      func(string, string) { s.reached(PhaseConnect) },
		TLSHandshakeStart: func() { s.reached(PhaseTLS) },
		TLSHandshakeDone:  func(tls.ConnectionState, error) {},
		GotConn:           func(httptrace.GotConnInfo) { s.reached(PhaseRequest) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				s.reached(PhaseResponse)
			}
		},
	}))
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
