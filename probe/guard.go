package probe

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
)

// Guard says which addresses may be dialled. It looks at the address that the
// socket is connected to, whatever led there, and at an IPv4 address that an IPv6
// one stands for. The zero Guard allows what everybody can reach, and no more.
//
// Link-local addresses, the metadata services of clouds and what Lambda itself
// listens on are never allowed, not even by Allow.
type Guard struct {
	// Private and Loopback allow addresses of private networks and of this machine.
	// Private are all that the registries of IANA do not call globally reachable:
	// those of RFC 1918, of carriers (100.64.0.0/10), unique local ones, multicast,
	// broadcast, documentation and so on.
	Private, Loopback bool
	// Allow and Deny are networks that are allowed or denied besides; Deny wins.
	Allow, Deny []netip.Prefix
}

// denial is why the guard denies an address: a value of the label reason of
// narthex_probe_denied_total.
type denial string

const (
	deniedLinkLocal denial = "link_local"
	deniedMetadata  denial = "metadata"
	deniedRuntime   denial = "runtime" // what Lambda itself listens on
	deniedNetwork   denial = "network" // it is in Guard.Deny
	deniedLoopback  denial = "loopback"
	deniedPrivate   denial = "private"
)

// about says to a person what an address is that is denied.
func (d denial) about() string {
	switch d {
	case deniedLinkLocal:
		return "is link-local, which is never probed"
	case deniedMetadata:
		return "is a cloud's metadata service, which is never probed"
	case deniedRuntime:
		return "is the runtime that this program runs in, which is never probed"
	case deniedNetwork:
		return "is in a network that the guard denies"
	case deniedLoopback:
		return "is this machine, which the guard denies here: allow loopback or the network if it is meant"
	}
	return "is private, which the guard denies here: allow private or the network if it is meant"
}

// Networks that are never probed, besides link-local ones.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),       // AWS: instance metadata, EKS pod identity, and what else is there
	netip.MustParsePrefix("fd20:ce::254/128"),    // Google Cloud
	netip.MustParsePrefix("100.100.100.200/32"),  // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),    // Azure's host
	netip.MustParsePrefix("192.0.0.192/32"),      // Oracle Cloud
	netip.MustParsePrefix("fd00:42::42/128"),     // Scaleway
	netip.MustParsePrefix("fd00:a9fe:a9fe::/48"), // AWS Wavelength and others that map 169.254.169.254
}

// Networks that not everybody can reach, besides those that netip knows.
//
// Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
var special = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments, RFC 6890
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation, RFC 5737
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, RFC 7526
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarking, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("100::/64"),        // discard, RFC 6666
	netip.MustParsePrefix("100:0:0:1::/64"),  // dummy, RFC 9780
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, RFC 2928
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("3fff::/20"),       // documentation, RFC 9637
	netip.MustParsePrefix("5f00::/16"),       // segment routing, RFC 9602
	netip.MustParsePrefix("fec0::/10"),       // site-local, RFC 3879
}

// watch is a guard with what only this program knows of the place it runs in.
type watch struct {
	Guard
	// runtime are the addresses of Lambda's own services.
	runtime []netip.AddrPort
}

// newWatch reads from the environment what must never be dialled.
//
// Source: AWS Lambda, "Runtime API" and "Defined runtime environment variables".
func newWatch(g Guard, getenv func(string) string) *watch {
	w := &watch{Guard: g}
	for _, name := range []string{"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_METADATA_API", "AWS_XRAY_DAEMON_ADDRESS"} {
		w.protect(getenv(name))
	}
	for _, name := range []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4"} {
		if u, err := url.Parse(getenv(name)); err == nil && u.Host != "" {
			port := u.Port()
			if port == "" {
				port = map[string]string{"https": "443"}[u.Scheme]
			}
			if port == "" {
				port = "80"
			}
			w.protect(net.JoinHostPort(u.Hostname(), port))
		}
	}
	return w
}

// protect adds an address to those that are never dialled. A name is not looked
// up: AWS gives addresses, and localhost is the one name that means one.
func (w *watch) protect(hostPort string) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	number, _ := strconv.ParseUint(port, 10, 16)
	if addr, err := netip.ParseAddr(host); err == nil {
		w.runtime = append(w.runtime, netip.AddrPortFrom(addr.Unmap(), uint16(number)))
	}
}

// check returns why to is not to be dialled, "" if it may be.
func (w *watch) check(to netip.AddrPort) denial {
	addr := to.Addr().WithZone("").Unmap()
	inner := embedded(addr)
	for _, a := range append([]netip.Addr{addr}, inner...) {
		if d := w.never(netip.AddrPortFrom(a, to.Port())); d != "" {
			return d
		}
	}
	for _, a := range append([]netip.Addr{addr}, inner...) {
		if within(a, w.Deny) {
			return deniedNetwork
		}
	}
	if within(addr, w.Allow) {
		return ""
	}
	for _, a := range append([]netip.Addr{addr}, inner...) {
		switch {
		case local(a) && !w.Loopback:
			return deniedLoopback
		case private(a) && !w.Private:
			return deniedPrivate
		}
	}
	return ""
}

// never returns why an address is denied whatever is configured.
func (w *watch) never(to netip.AddrPort) denial {
	addr := to.Addr()
	for _, r := range w.runtime {
		if to == r || to.Port() == r.Port() && local(addr) && local(r.Addr()) {
			return deniedRuntime
		}
	}
	switch {
	case within(addr, metadata):
		return deniedMetadata
	case addr.IsLinkLocalUnicast(), addr.IsLinkLocalMulticast(), addr.IsInterfaceLocalMulticast():
		if addr == netip.AddrFrom4([4]byte{169, 254, 169, 254}) {
			return deniedMetadata
		}
		return deniedLinkLocal
	}
	return ""
}

// local reports whether an address is this machine: 0.0.0.0 and :: are, when they
// are dialled.
func local(a netip.Addr) bool {
	return a.IsLoopback() || a.IsUnspecified() || a.Is4() && a.As4()[0] == 0
}

// private reports whether an address is not reachable for everybody.
func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsMulticast() || within(a, special)
}

func within(a netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool {
		return p.Contains(a) || a.Is4() && p.Addr().Is4In6() && p.Contains(netip.AddrFrom16(a.As16()))
	})
}

// embedded returns the IPv4 addresses that an IPv6 address may lead to.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	four := func(b0, b1, b2, b3 byte) netip.Addr { return netip.AddrFrom4([4]byte{b0, b1, b2, b3}) }
	last := four(b[12], b[13], b[14], b[15])
	switch {
	case prefixed(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0): // ::a.b.c.d, RFC 4291, section 2.5.5.1
		if a.IsLoopback() || a.IsUnspecified() {
			return nil
		}
		return []netip.Addr{last}
	case prefixed(b, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0): // translated, RFC 2765
		return []netip.Addr{last}
	case prefixed(b, 0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0): // NAT64, RFC 6052
		return []netip.Addr{last}
	case prefixed(b, 0x00, 0x64, 0xff, 0x9b, 0, 1): // NAT64 of one's own, RFC 8215: a /48, /56, /64 or /96 below it
		return []netip.Addr{last, four(b[6], b[7], b[9], b[10]), four(b[7], b[9], b[10], b[11]), four(b[9], b[10], b[11], b[12])}
	case prefixed(b, 0x20, 0x02): // 6to4, RFC 3056
		return []netip.Addr{four(b[2], b[3], b[4], b[5])}
	case prefixed(b, 0x20, 0x01, 0, 0): // Teredo, RFC 4380: the server, and the client's with all bits turned
		return []netip.Addr{four(b[4], b[5], b[6], b[7]), four(^b[12], ^b[13], ^b[14], ^b[15])}
	case b[8]&^3 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214
		return []netip.Addr{last}
	}
	return nil
}

func prefixed(b [16]byte, prefix ...byte) bool { return slices.Equal(b[:len(prefix)], prefix) }
