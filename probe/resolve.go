package probe

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http/httptrace"
	"net/netip"
	"time"
)

// resolve returns the address of host that is to be probed, and sets
// probe_dns_lookup_time_seconds, probe_ip_protocol and probe_ip_addr_hash. With
// ip.Fallback the other protocol will do. The guard is asked when the address is
// dialled. Errors are *Failures.
//
// Of several addresses it is the first of the preferred protocol. For the others
// see Module.Addresses.
func (t *trial) resolve(ctx context.Context, host string, ip IP) (netip.Addr, error) {
	lookup := t.gauge("probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds")
	protocol := t.gauge("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6")
	hash := t.gauge("probe_ip_addr_hash", "Specifies the hash of IP address. It's useful to detect if the IP address changes.")
	protocol.Set(0)
	hash.Set(0)
	t.log.Debug("resolving the target's address", "target", host, "ip_protocol", ip.preferred())
	begun := time.Now()
	addrs, err := t.addresses(ctx, host, ip)
	lookup.Add(time.Since(begun).Seconds())
	if err != nil {
		return netip.Addr{}, err
	}
	t.chose(addrs[0])
	t.spread(addrs)
	t.log.Debug("resolved the target's address", "target", host, "ip", addrs[0].String(), "addresses", len(addrs))
	return addrs[0], nil
}

// addressLimit is how many addresses of a name are probed: each is a series.
const addressLimit = 16

// spread keeps the addresses that may be tried, and starts the trials of the others
// where each has to succeed.
func (t *trial) spread(addrs []netip.Addr) {
	t.found, t.candidates = len(addrs), addrs[:1]
	addrs = addrs[:min(len(addrs), addressLimit)]
	switch t.module.Addresses {
	case "happy":
		t.candidates = addrs
	case "all":
		if t.fan != nil {
			t.fan(addrs[1:])
			t.fan = nil
		}
	}
}

// alternatives returns the addresses that may stand in for a, a first.
func (t *trial) alternatives(a netip.Addr) []netip.Addr {
	if len(t.candidates) == 0 || t.candidates[0] != a {
		return nil
	}
	return t.candidates
}

// addresses returns the addresses of host that may be probed, the best first. A
// trial of one address of several has just that one.
func (t *trial) addresses(ctx context.Context, host string, ip IP) ([]netip.Addr, error) {
	if t.only.IsValid() {
		return []netip.Addr{t.only}, nil
	}
	network := "ip"
	if !ip.Fallback {
		network = ip.preferred()
	}
	addrs, err := t.net.lookup(ctx, network, host)
	if err != nil {
		return nil, err
	}
	var chosen, others []netip.Addr
	for _, a := range addrs {
		if a.Is4() == (ip.preferred() == "ip4") {
			chosen = append(chosen, a)
		} else {
			others = append(others, a)
		}
	}
	switch {
	case !ip.Fallback && len(chosen) == 0, len(addrs) == 0:
		return nil, failed(PhaseDNS, ReasonNoAddress, "%s has no address of %s", host, ip.preferred())
	case len(chosen) == 0:
		// The last one, as the exporter does.
		others[0], others[len(others)-1] = others[len(others)-1], others[0]
	}
	return append(chosen, others...), nil
}

// preferred returns ip4 or ip6.
func (ip IP) preferred() string {
	if ip.Protocol == "ip4" {
		return "ip4"
	}
	return "ip6"
}

// network returns name, which is tcp or udp, with the version of an address.
func networkOf(name string, a netip.Addr) string {
	if a.Is4() {
		return name + "4"
	}
	return name + "6"
}

// chose sets the metrics about the address that is probed.
func (t *trial) chose(a netip.Addr) {
	version := 6.
	if a.Is4() {
		version = 4
	}
	t.gauge("probe_ip_protocol", "").Set(version)
	t.gauge("probe_ip_addr_hash", "").Set(addrHash(a))
}

// connectedTo corrects the metrics when another address than the chosen one has
// answered first.
func (t *trial) connectedTo(remote net.Addr) {
	if to, err := netip.ParseAddrPort(remote.String()); err == nil {
		t.chose(to.Addr().WithZone("").Unmap())
	}
}

// addrHash is the exporter's hash of an address: FNV-1a of its bytes.
func addrHash(a netip.Addr) float64 {
	h := fnv.New32a()
	h.Write(a.AsSlice())
	return float64(h.Sum32())
}

// lookup returns the addresses of host: network is ip, ip4 or ip6. There is at
// least one. A literal address is its own. Errors are *Failures.
func (n *network) lookup(ctx context.Context, network, host string) (addrs []netip.Addr, err error) {
	if a, ok := numeric(host); ok {
		if network == "ip4" && !a.Is4() || network == "ip6" && a.Is4() {
			return nil, failed(PhaseDNS, ReasonNoAddress, "%s is no address of %s", host, network)
		}
		return []netip.Addr{a}, nil
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.DNSStart != nil {
		trace.DNSStart(httptrace.DNSStartInfo{Host: host})
		defer func() { trace.DNSDone(httptrace.DNSDoneInfo{Err: err}) }()
	}
	if n.resolver != nil {
		addrs, err = n.resolver.lookup(untraced(ctx), n, network, host)
	} else {
		addrs, err = systemLookup(ctx, network, host)
	}
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if err != nil {
		return nil, asLookupFailure(ctx, host, err)
	}
	return addrs, nil
}

// systemLookup asks the system's resolver.
func systemLookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// asLookupFailure says why a name has no address.
func asLookupFailure(ctx context.Context, host string, err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	reason := ReasonResolver
	var dns *net.DNSError
	var none *net.AddrError
	switch {
	case reasonOf(ctx, err) == ReasonTimeout:
		reason = ReasonTimeout
	case errors.As(err, &dns) && dns.IsNotFound:
		reason = ReasonNoSuchHost
	case errors.As(err, &none):
		reason = ReasonNoAddress
	}
	return &Failure{Phase: PhaseDNS, Reason: reason, Err: fmt.Errorf("looking up %q: %w", host, err)}
}
