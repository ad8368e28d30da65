package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// userAgent is what probes are sent as unless the module says something else.
const userAgent = "narthex"

// connect resolves host and connects to it, from source if that is an address.
func (t *trial) connect(ctx context.Context, network, host, service string, ip IP, source string) (net.Conn, error) {
	to, from, err := t.endpoint(ctx, host, service, ip, source)
	if err != nil {
		return nil, err
	}
	return t.dial(ctx, network, to, from)
}

// endpoint returns the address to connect to and the one to come from.
func (t *trial) endpoint(ctx context.Context, host, service string, ip IP, source string) (to netip.AddrPort, from netip.Addr, err error) {
	if source != "" {
		if from, err = netip.ParseAddr(source); err != nil {
			return to, from, failed(PhasePolicy, ReasonOther, "source_ip_address: %w", err)
		}
	}
	addr, err := t.resolve(ctx, host, ip)
	if err != nil {
		return to, from, err
	}
	number, err := port(service)
	if err != nil {
		return to, from, failed(PhasePolicy, ReasonBadTarget, "the target's port: %w", err)
	}
	return netip.AddrPortFrom(addr, number), from, nil
}

// endWith makes what is read from and written to conn fail when ctx ends. What it
// returns ends that.
func endWith(ctx context.Context, conn net.Conn) func() {
	if d, ok := ctx.Deadline(); ok {
		conn.SetDeadline(d) // a connection that is gone says so when it is used
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// overConn returns a transport for one request over a connection that has been
// made: HTTP/2 if the handshake of TLS has chosen it, HTTP/1.1 otherwise.
func overConn(conn net.Conn) *http.Transport {
	if secure, ok := conn.(*tls.Conn); !ok || secure.ConnectionState().NegotiatedProtocol != "h2" {
		conn = newPoliteConn(conn)
	}
	once := make(chan net.Conn, 1)
	once <- conn
	take := func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-once:
			return c, nil
		default:
			return nil, errors.New("the connection is used up")
		}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		DialContext: take, DialTLSContext: take, Protocols: protocols,
		DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
}
