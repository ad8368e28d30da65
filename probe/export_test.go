package probe

import (
	"bytes"
	"crypto/x509"
	"io"
	"net/http"
	"net/netip"
)

// ReadWebSocket reads a message of a server from what it sends, and returns what
// the client answers besides.
func ReadWebSocket(sent []byte) (text, answers []byte, err error) {
	c := &memoryConn{Reader: bytes.NewReader(sent)}
	text, err = newWebSocket(c).read()
	return text, c.written.Bytes(), err
}

// WriteWebSocket returns the frame of a message.
func WriteWebSocket(text []byte) []byte {
	c := &memoryConn{Reader: bytes.NewReader(nil)}
	newWebSocket(c).write(opText, text) // memory takes everything
	return c.written.Bytes()
}

type memoryConn struct {
	io.Reader
	written bytes.Buffer
}

func (c *memoryConn) Write(b []byte) (int, error) { return c.written.Write(b) }

func (c *memoryConn) Close() error { return nil }

// ReadHealth reads the answer to a health check: its serving status or its code.
func ReadHealth(r *http.Response) (serving int32, code int32, err error) {
	serving, err = readHealth(r.Request.Context(), r)
	if e, ok := err.(*grpcError); ok {
		code = int32(e.code)
	}
	return serving, code, err
}

// ParseEchoReply reads a reply of IPv4 or IPv6.
func ParseEchoReply(packet []byte, v6 bool) (id, seq uint16, payload []byte, ok bool) {
	kind := byte(echoReply4)
	if v6 {
		kind = echoReply6
	}
	e, ok := parseEcho(packet, kind)
	return e.id, e.seq, e.payload, ok
}

// ParseICMPError reads an error and the request that it is about.
func ParseICMPError(packet []byte, v6 bool) (what string, original []byte) {
	return parseICMPError(packet, v6)
}

// EchoRequest returns a request of IPv4.
func EchoRequest(id, seq uint16, payload []byte) []byte {
	return appendEcho(nil, echoRequest4, id, seq, payload)
}

// TrustResolvers has the resolvers of p trust another authority than the system's.
func TrustResolvers(p *Prober, pool *x509.CertPool) {
	for _, r := range p.resolvers {
		r.roots = pool
	}
}

// Numeric reads an address in any spelling.
func Numeric(host string) (netip.Addr, bool) { return numeric(host) }

// Matches reports whether a target fits a pattern of allowed_targets.
func Matches(target, pattern string) bool { return matches(target, pattern) }
