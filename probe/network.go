package probe

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Guard says which addresses may be dialled. It looks at the address that the
// socket is connected to, whatever led there.
type Guard struct {
	// Private and Loopback allow addresses of private networks and of this machine.
	// Link-local addresses, the metadata services of clouds and Lambda's runtime API
	// are never allowed.
	Private, Loopback bool
	// Allow and Deny are networks that are allowed or denied besides; Deny wins.
	Allow, Deny []netip.Prefix
}

// Features are what a program can do that not every one can.
type Features struct {
	// CEL compiles an expression over body; nil if CEL is not part of the program.
	CEL func(expression string) (CELProgram, error)
	// HTTP3 says that HTTP/3 is part of the program; see http3.go.
	HTTP3 bool
	// ICMP and Unix say that the place has them: Lambda has neither.
	ICMP, Unix bool
}

// CELProgram is a compiled expression. Eval returns its value for a decoded JSON
// body; it ends with ctx.
type CELProgram interface {
	Eval(ctx context.Context, body any) (bool, error)
}

// network is how one trial reaches the world: every socket of every prober comes
// from here.
type network struct {
	guard *Guard
}

// resolve returns the address of host that is to be probed, and sets
// probe_dns_lookup_time_seconds, probe_ip_protocol and probe_ip_addr_hash. prefer
// is "ip4", "ip6" or "" (as "ip6"); with fallback the other one will do.
func (t *trial) resolve(ctx context.Context, host, prefer string, fallback bool) (netip.Addr, error) {
	begun := time.Now()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	t.gauge("probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds").Set(time.Since(begun).Seconds())
	if err != nil {
		return netip.Addr{}, failed(PhaseDNS, ReasonNoSuchHost, "%w", err)
	}
	return addrs[0].Unmap(), nil
}

// dial connects to an address: network is tcp or udp, source the address to come
// from, if it is valid. The guard is asked before the socket connects.
func (t *trial) dial(ctx context.Context, network string, to netip.AddrPort, source netip.Addr) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, to.String())
	if err != nil {
		return nil, failed(PhaseConnect, ReasonRefused, "%w", err)
	}
	return conn, nil
}
