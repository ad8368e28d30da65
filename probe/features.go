package probe

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"narthex"
)

// Features are what a program can do that not every one can.
type Features struct {
	// CEL compiles an expression over body; nil if CEL is not part of the program.
	CEL func(expression string) (CELProgram, error)
	// HTTP3 returns what speaks HTTP/3 with one target: config verifies it, dial
	// opens the socket and tells where the target is. nil if HTTP/3 is not part of
	// the program.
	HTTP3 func(config *tls.Config, dial HTTP3Dial) HTTP3Transport
	// ICMP opens a socket to send to an address from another, the zero Addr if any
	// will do, with a hop limit (0 is the system's) and "don't fragment" (whole); nil
	// if ICMP is not part of the program. AWS Lambda has none.
	ICMP func(to, from netip.Addr, ttl int, whole bool) (ICMPSocket, error)
	// Unix says that the place has Unix sockets. AWS Lambda has none to probe.
	Unix bool
}

// ICMPSocket sends ICMP messages to one address. A privileged one receives all those
// that reach the machine; the others have an id that the kernel gives them, and
// receive what is for it. Receive returns a message in buffer, where it is from and
// its hop limit, -1 if that is not known.
type ICMPSocket interface {
	Send(packet []byte) error
	Receive(buffer []byte) (packet []byte, from netip.Addr, hopLimit int, err error)
	SetReadDeadline(time.Time) error
	Privileged() bool
	io.Closer
}

// CELProgram is a compiled expression. Eval returns its value for a decoded JSON
// body; it ends with ctx.
type CELProgram interface {
	Eval(ctx context.Context, body any) (bool, error)
}

// HTTP3Dial opens a UDP socket to talk to host:port. What it returns denies other
// addresses than those that the guard allows.
type HTTP3Dial func(ctx context.Context, address string) (net.PacketConn, net.Addr, error)

// HTTP3Transport sends requests over HTTP/3. Close ends its connections.
type HTTP3Transport interface {
	http.RoundTripper
	io.Closer
}

// lacks says why a module can't be used with these features, "" if it can.
func (f *Features) lacks(m *Module) string {
	switch {
	case m.Prober == "icmp" && f.ICMP == nil:
		return "ICMP is not to be had here (AWS Lambda has none): use a module with prober: tcp, which times the connection, against an open port"
	case m.Prober == "unix" && !f.Unix:
		return "Unix sockets are not to be had here: use narthex beside the socket, or prober: tcp if the service listens on a port"
	case m.Prober == "grpc" && !http2:
		return "gRPC needs HTTP/2, which this program is built without (the build tag nethttpomithttp2): use a module with prober: tcp, which times the connection, or run the module with the narthex program"
	case m.Prober == "http" && (m.HTTP.BodyMatchesCEL != "" || m.HTTP.BodyNotMatchesCEL != "") && f.CEL == nil:
		return "CEL is not part of this program (the Lambda function leaves it out for its size): use fail_if_body_matches_regexp and fail_if_body_not_matches_regexp, or run the module with the narthex program"
	case m.Prober == "http" && m.HTTP.EnableHTTP3 && f.HTTP3 == nil:
		return "HTTP/3 is not part of this program (the Lambda function leaves it out for its size): use enable_http2, or run the module with the narthex program"
	}
	return ""
}

// refuse returns an error that says of each module why it can't be used here.
func (f *Features) refuse(modules map[string]*Module) error {
	for _, m := range sorted(modules) {
		if why := f.lacks(m); why != "" {
			return narthex.Errorf(narthex.Invalid, "module %q: %s", m.Name, why)
		}
	}
	return nil
}
