package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// network is how one trial reaches the world: every socket of every prober comes
// from here.
type network struct {
	watch    *watch
	denied   func(denial) // counts
	resolver *resolver    // nil is the system's

	mu    sync.Mutex
	conns []net.Conn // to be closed when the trial ends
	over  bool
}

// staggered is how long a connection may take before the next address is tried
// beside it (RFC 8305, section 5).
const staggered = 250 * time.Millisecond

// permit returns a *Failure if the guard denies an address. dial asks by itself;
// it is for sockets that are not connected, and for what a proxy is to reach.
func (n *network) permit(to netip.AddrPort) error {
	d := n.watch.check(to)
	if d == "" {
		return nil
	}
	n.denied(d)
	return failed(PhasePolicy, ReasonDenied, "%s %s", to.Addr(), d.about())
}

// dial connects to an address: network is tcp or udp (tcp4 and so on will do),
// source the address to come from, if it is valid. The guard sees the address that
// the socket connects to. With addresses: happy, the other addresses of a name
// that t.resolve has looked up are tried as well. Errors are *Failures.
func (t *trial) dial(ctx context.Context, network string, to netip.AddrPort, source netip.Addr) (net.Conn, error) {
	if others := t.alternatives(to.Addr()); len(others) > 1 && strings.HasPrefix(network, "tcp") {
		conn, err := t.net.race(ctx, network, others, to.Port(), source)
		if err == nil {
			t.connectedTo(conn.RemoteAddr())
		}
		return conn, err
	}
	return t.net.dial(ctx, network, to, source)
}

func (n *network) dial(ctx context.Context, network string, to netip.AddrPort, source netip.Addr) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1, Control: n.control}
	if source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
		if strings.HasPrefix(network, "udp") {
			d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
		}
	}
	conn, err := d.DialContext(ctx, network, to.String())
	return n.keep(ctx, conn, err)
}

// keep gives a connection the trial's deadline and sees to it that it ends with it.
func (n *network) keep(ctx context.Context, conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, asDialFailure(ctx, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		conn.Close()
		return nil, failed(PhaseConnect, ReasonTimeout, "the probe was over before the connection stood")
	}
	n.conns = append(n.conns, conn)
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	return conn, asDialFailure(ctx, err)
}

// close ends all connections of the trial.
func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// dialUnix connects to a Unix socket.
func (n *network) dialUnix(ctx context.Context, path string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	return n.keep(ctx, conn, err)
}

// packets opens a UDP socket that talks to one address only.
func (n *network) packets(ctx context.Context, to netip.AddrPort) (net.PacketConn, error) {
	if err := n.permit(to); err != nil {
		return nil, err
	}
	var l net.ListenConfig
	local := ":0"
	conn, err := l.ListenPacket(ctx, networkOf("udp", to.Addr()), local)
	if err != nil {
		return nil, asDialFailure(ctx, err)
	}
	if _, err := n.keep(ctx, conn.(*net.UDPConn), nil); err != nil {
		return nil, err
	}
	return &onlyTo{conn.(*net.UDPConn), to}, nil
}

// onlyTo is a socket that sends to one address only.
type onlyTo struct {
	*net.UDPConn
	to netip.AddrPort
}

// WriteTo implements [net.PacketConn].
func (c *onlyTo) WriteTo(p []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); !ok || netip.AddrPortFrom(u.AddrPort().Addr().Unmap(), u.AddrPort().Port()) != c.to {
		return 0, failed(PhasePolicy, ReasonDenied, "%s is not what the guard was asked about", to)
	}
	return c.UDPConn.WriteToUDPAddrPort(p, c.to)
}

// control is called with the address that a socket is about to connect to.
func (n *network) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return failed(PhasePolicy, ReasonDenied, "the guard can't read the address %q", address)
	}
	return n.permit(to)
}

// dialHost connects to a host that may be a name, as browsers do: its addresses
// one after the other, slow ones beside each other. It is for what is not the
// target itself: proxies, where a redirect leads, token services.
func (n *network) dialHost(ctx context.Context, network, host string, port uint16) (net.Conn, error) {
	addrs, err := n.lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	return n.dialAny(ctx, network, addrs, port)
}

func (n *network) dialAny(ctx context.Context, network string, addrs []netip.Addr, port uint16) (net.Conn, error) {
	if len(addrs) == 1 {
		return n.dial(ctx, network, netip.AddrPortFrom(addrs[0], port), netip.Addr{})
	}
	return n.race(ctx, network, addrs, port, netip.Addr{})
}

// race connects to the first of the addresses that answers, and starts with the
// next one when one fails or takes long (RFC 8305).
func (n *network) race(ctx context.Context, network string, addrs []netip.Addr, port uint16, source netip.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome)
	var first error
	started, ended := 0, 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	addrs = alternate(addrs)
	for ended < len(addrs) {
		select {
		case <-timer.C:
			if started == len(addrs) {
				continue
			}
			to := netip.AddrPortFrom(addrs[started], port)
			started++
			go func() {
				conn, err := n.dial(ctx, network, to, source)
				select {
				case outcomes <- outcome{conn, err}:
				case <-ctx.Done():
					if err == nil {
						conn.Close()
					}
				}
			}()
			timer.Reset(staggered)
		case o := <-outcomes:
			if o.err == nil {
				return o.conn, nil
			}
			if ended++; first == nil {
				first = o.err
			}
			timer.Reset(0)
		case <-ctx.Done():
			return nil, asDialFailure(ctx, ctx.Err())
		}
	}
	return nil, first
}

// alternate orders addresses so that the families take turns, beginning with that
// of the first (RFC 8305, section 4).
func alternate(addrs []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, a := range addrs {
		i := 0
		if a.Is4() != addrs[0].Is4() {
			i = 1
		}
		families[i] = append(families[i], a)
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := 0; len(out) < len(addrs); i++ {
		for _, f := range families {
			if i < len(f) {
				out = append(out, f[i])
			}
		}
	}
	return out
}

// asDialFailure says why a connection was not made.
func asDialFailure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Phase: PhaseConnect, Reason: reasonOf(ctx, err), Err: err}
}

// reasonOf returns the reason of an error of a socket.
func reasonOf(ctx context.Context, err error) Reason {
	var timeout interface{ Timeout() bool }
	switch {
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return ReasonReset
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return ReasonUnreachable
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return ReasonPermission
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTSOCK):
		return ReasonRefused
	case closedEarly(err):
		return ReasonClosed
	}
	return ReasonOther
}

// port reads a port of an address.
func port(text string) (uint16, error) {
	n, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", text)
	if err != nil || n == 0 && text != "0" {
		return 0, fmt.Errorf("%q is not a port", text)
	}
	return uint16(n), nil
}
