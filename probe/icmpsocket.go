package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// icmpSocket sends and receives ICMP messages.
type icmpSocket struct {
	to netip.Addr
	// privileged sockets are raw: they see all messages that reach this machine.
	privileged bool
	conn       *icmp.PacketConn
	hops       bool // the kernel tells the hop limit
}

// openICMP opens a socket: one without privileges where the kernel allows it
// (on Linux, to the groups of net.ipv4.ping_group_range), a raw one otherwise.
func openICMP(to, from netip.Addr, m *ICMPModule) (*icmpSocket, error) {
	networks := []string{"udp4", "ip4:icmp"}
	local := netip.IPv4Unspecified()
	if to.Is6() {
		networks, local = []string{"udp6", "ip6:ipv6-icmp"}, netip.IPv6Unspecified()
	}
	if from.IsValid() {
		local = from
	}
	s := &icmpSocket{to: to}
	var errs []error
	for i, network := range networks {
		conn, err := icmp.ListenPacket(network, local.String())
		if err == nil {
			s.conn, s.privileged = conn, i == 1
			break
		}
		errs = append(errs, err)
	}
	if s.conn == nil {
		err := errors.Join(errs...)
		if reason := reasonOf(context.Background(), errs[len(errs)-1]); reason != ReasonPermission {
			return nil, failed(PhaseConnect, reason, "open a socket for ICMP: %w", err)
		}
		return nil, failed(PhasePolicy, ReasonPermission, "open a socket for ICMP: %w: give this program CAP_NET_RAW, or its group a place in net.ipv4.ping_group_range", err)
	}
	if err := s.configure(m); err != nil {
		s.conn.Close()
		return nil, err
	}
	return s, nil
}

// configure sets what the module asks for.
func (s *icmpSocket) configure(m *ICMPModule) (err error) {
	if s.v6() {
		c := s.conn.IPv6PacketConn()
		s.hops = c.SetControlMessage(ipv6.FlagHopLimit, true) == nil
		if m.TTL > 0 {
			err = c.SetHopLimit(m.TTL)
		}
	} else {
		c := s.conn.IPv4PacketConn()
		s.hops = c.SetControlMessage(ipv4.FlagTTL, true) == nil
		if m.TTL > 0 {
			err = c.SetTTL(m.TTL)
		}
	}
	if err != nil {
		return failed(PhaseConnect, ReasonOther, "set the ttl: %w", err)
	}
	if !m.DontFragment || s.v6() {
		return nil
	}
	conn, ok := s.conn.IPv4PacketConn().PacketConn.(syscall.Conn)
	if !ok {
		return failed(PhasePolicy, ReasonUnsupported, "dont_fragment can't be set on this socket")
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return failed(PhaseConnect, ReasonOther, "set dont_fragment: %w", err)
	}
	return dontFragment(raw)
}

func (s *icmpSocket) v6() bool { return s.to.Is6() }

func (s *icmpSocket) requestType() byte {
	if s.v6() {
		return echoRequest6
	}
	return echoRequest4
}

func (s *icmpSocket) replyType() byte {
	if s.v6() {
		return echoReply6
	}
	return echoReply4
}

// Close closes the socket.
func (s *icmpSocket) Close() error { return s.conn.Close() }

// SetReadDeadline bounds receive.
func (s *icmpSocket) SetReadDeadline(t time.Time) { s.conn.SetReadDeadline(t) }

func (s *icmpSocket) send(packet []byte) error {
	var to net.Addr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.to, 0))
	if s.privileged {
		to = &net.IPAddr{IP: s.to.AsSlice(), Zone: s.to.Zone()}
	}
	_, err := s.conn.WriteTo(packet, to)
	return err
}

// receive returns a message, where it is from, and its hop limit, which is -1 if
// it is not known.
func (s *icmpSocket) receive(buffer []byte) (packet []byte, from netip.Addr, hopLimit int, err error) {
	hopLimit = -1
	var n int
	var peer net.Addr
	if s.v6() {
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
