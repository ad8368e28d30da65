// Package icmp opens the sockets of ICMP probes. It is apart from probe because AWS
// Lambda has no ICMP: the function has no use for them.
//
//	features.ICMP = func(to, from netip.Addr, ttl int, whole bool) (probe.ICMPSocket, error) {
//		return icmp.Open(to, from, ttl, whole)
//	}
package icmp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// errNoFragmentBit is an [errors.ErrUnsupported].
var errNoFragmentBit = fmt.Errorf("dont_fragment is known how to be set on Linux only: leave it out, or probe from Linux: %w", errors.ErrUnsupported)

// Socket sends ICMP messages to one address and receives those that come to this
// machine.
type Socket struct {
	to         netip.Addr
	privileged bool
	conn       *icmp.PacketConn
	hops       bool // the kernel tells the hop limit
}

// Open opens a socket: one without privileges where the kernel allows it (on Linux,
// to the groups of net.ipv4.ping_group_range), a raw one otherwise. from is the
// address to send from, the zero Addr if any will do; ttl is the hop limit, 0 the
// system's; whole sets the bit "don't fragment" of IPv4. The error is an
// [errors.ErrUnsupported] if the system can't do that.
func Open(to, from netip.Addr, ttl int, whole bool) (*Socket, error) {
	conn, privileged, err := listen(to, from)
	if err != nil {
		return nil, err
	}
	s := &Socket{to: to, privileged: privileged, conn: conn}
	if err := s.configure(ttl, whole); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func listen(to, from netip.Addr) (conn *icmp.PacketConn, privileged bool, err error) {
	unprivileged, raw, local := "udp4", "ip4:icmp", netip.IPv4Unspecified()
	if to.Is6() {
		unprivileged, raw, local = "udp6", "ip6:ipv6-icmp", netip.IPv6Unspecified()
	}
	if from.IsValid() {
		local = from
	}
	conn, refused := icmp.ListenPacket(unprivileged, local.String())
	if refused == nil {
		return conn, false, nil
	}
	if conn, err = icmp.ListenPacket(raw, local.String()); err != nil {
		return nil, false, fmt.Errorf("%w; without privileges: %v", err, refused)
	}
	return conn, true, nil
}

// configure sets the options, and asks for the hop limits of what is received.
func (s *Socket) configure(ttl int, whole bool) (err error) {
	if s.to.Is6() {
		c := s.conn.IPv6PacketConn()
		s.hops = c.SetControlMessage(ipv6.FlagHopLimit, true) == nil
		if ttl > 0 {
			err = c.SetHopLimit(ttl)
		}
	} else {
		c := s.conn.IPv4PacketConn()
		s.hops = c.SetControlMessage(ipv4.FlagTTL, true) == nil
		if ttl > 0 {
			err = c.SetTTL(ttl)
		}
	}
	if err == nil && whole && !s.to.Is6() {
		err = s.dontFragment()
	}
	if err != nil {
		return fmt.Errorf("set its options: %w", err)
	}
	return nil
}

func (s *Socket) dontFragment() error {
	conn, ok := s.conn.IPv4PacketConn().PacketConn.(syscall.Conn)
	if !ok {
		return errNoFragmentBit
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return dontFragment(raw)
}

// Privileged reports whether the socket is raw: it then sees all messages that reach
// this machine, and the kernel leaves the ids of those that it sends alone.
func (s *Socket) Privileged() bool { return s.privileged }

// Close closes the socket.
func (s *Socket) Close() error { return s.conn.Close() }

// SetReadDeadline bounds Receive.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Send sends a message.
func (s *Socket) Send(packet []byte) error {
	var to net.Addr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.to, 0))
	if s.privileged {
		to = &net.IPAddr{IP: s.to.AsSlice(), Zone: s.to.Zone()}
	}
	_, err := s.conn.WriteTo(packet, to)
	return err
}

// Receive returns a message, which is in buffer, where it is from, and its hop limit,
// which is -1 if it is not known.
func (s *Socket) Receive(buffer []byte) (packet []byte, from netip.Addr, hopLimit int, err error) {
	hopLimit = -1
	var n int
	var peer net.Addr
	if s.to.Is6() {
		var c *ipv6.ControlMessage
		if n, c, peer, err = s.conn.IPv6PacketConn().ReadFrom(buffer); c != nil && s.hops {
			hopLimit = c.HopLimit
		}
	} else {
		var c *ipv4.ControlMessage
		if n, c, peer, err = s.conn.IPv4PacketConn().ReadFrom(buffer); c != nil && s.hops {
			hopLimit = c.TTL
		}
	}
	switch a := peer.(type) {
	case *net.UDPAddr:
		from = a.AddrPort().Addr().Unmap()
	case *net.IPAddr:
		from, _ = netip.AddrFromSlice(a.IP)
		from = from.Unmap().WithZone(a.Zone)
	}
	return buffer[:max(n, 0)], from, hopLimit, err
}
