// Package http3 speaks HTTP/3 for probes. It is apart from probe for its weight:
// quic-go adds 2 MB to a program.
//
//	features.HTTP3 = func(c *tls.Config, dial probe.HTTP3Dial) probe.HTTP3Transport { return http3.New(c, dial) }
//
// Source: RFC 9114.
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Dial opens a UDP socket to talk to host:port and tells where that is.
type Dial = func(ctx context.Context, address string) (net.PacketConn, net.Addr, error)

// Transport sends requests over HTTP/3. It may be used by several goroutines.
type Transport struct {
	dial Dial
	h3   *http3.Transport

	mu    sync.Mutex
	quics []*quic.Transport
}

// New returns a transport whose packets go through dial's sockets and whose
// connections are verified as config says. HTTP/3 is always over TLS 1.3.
func New(config *tls.Config, dial Dial) *Transport {
	t := &Transport{dial: dial}
	if config.MinVersion < tls.VersionTLS13 {
		config = config.Clone()
		config.MinVersion = tls.VersionTLS13
	}
	t.h3 = &http3.Transport{TLSClientConfig: config, DisableCompression: true, MaxResponseHeaderBytes: 1 << 20, Dial: t.connect}
	return t
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.h3.RoundTrip(r) }

// Close ends all connections and closes their sockets.
func (t *Transport) Close() error {
	err := t.h3.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range t.quics {
		err = errors.Join(err, q.Close(), q.Conn.Close())
	}
	t.quics = nil
	return err
}

// connect makes a connection. Its time is that of the handshake: there is no other.
func (t *Transport) connect(ctx context.Context, address string, config *tls.Config, settings *quic.Config) (*quic.Conn, error) {
	trace := httptrace.ContextClientTrace(ctx)
	conn, to, err := t.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	q := &quic.Transport{Conn: conn}
	t.mu.Lock()
	t.quics = append(t.quics, q)
	t.mu.Unlock()
	if trace != nil && trace.ConnectStart != nil {
		trace.ConnectStart("udp", to.String())
	}
	if trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	out, err := q.Dial(ctx, to, config, settings)
	if err == nil && trace != nil && trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(out.ConnectionState().TLS, nil)
	}
	return out, err
}
