package probe_test

import (
	"testing"

	"github.com/miekg/dns"
)

// names is a name server: see zone.
func names(network string) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string {
		return nameServer(t, network, with("127.0.0.1")(t, ca), zone)
	}
}

func dnsComparisons() []comparison {
	// asking is a module that asks for a name, with more settings.
	asking := func(name, more string) string { return "prober: dns\ndns: {query_name: " + name + more + "}" }
	var out []comparison
	// Over each transport, the codes and the sections are the same.
	for _, transport := range []string{"udp", "tcp"} {
		over := ", transport_protocol: " + transport
		add := func(name, query, more string) {
			out = append(out, comparison{name: "dns: " + name + " over " + transport, module: asking(query, over+more), target: names(transport)})
		}
		add("sections", "two.example", "")
		add("no records", "empty.example", "")
		add("nxdomain", "nxdomain.example", "")
		add("servfail", "servfail.example", "")
		add("refused", "refused.example", "")
		add("formerr", "formerr.example", "")
		add("notimp", "notimp.example", "")
		add("nxdomain is valid", "nxdomain.example", ", valid_rcodes: [NOERROR, NXDOMAIN]")
		add("noerror is not valid", "two.example", ", valid_rcodes: [NXDOMAIN]")
		add("serial", "soa.example", ", query_type: SOA")
		add("no serial", "nosoa.example", ", query_type: SOA")
		add("no recursion", "two.example", ", recursion_desired: false")
		add("class", "two.example", ", query_class: CH, query_type: TXT")
	}
	records := map[string]string{"answer": "192.0.2.", "authority": "ns.example", "additional": "ns.example"}
	for _, section := range []string{"answer", "authority", "additional"} {
		for _, c := range []struct{ name, conditions string }{
			{"fail_if_matches", "fail_if_matches_regexp: [nowhere, '" + records[section] + "']"},
			{"fail_if_matches, none", "fail_if_matches_regexp: [nowhere]"},
			{"fail_if_all_match", "fail_if_all_match_regexp: ['" + records[section] + "']"},
			{"fail_if_all_match, none", "fail_if_all_match_regexp: [nowhere]"},
			{"fail_if_not_matches", "fail_if_not_matches_regexp: ['" + records[section] + "']"},
			{"fail_if_not_matches, none", "fail_if_not_matches_regexp: ['" + records[section] + "', nowhere]"},
			{"fail_if_none_matches", "fail_if_none_matches_regexp: [nowhere, '" + records[section] + "']"},
			{"fail_if_none_matches, none", "fail_if_none_matches_regexp: [nowhere]"},
		} {
			for _, name := range []string{"two.example", "empty.example"} {
				out = append(out, comparison{name: "dns: " + section + ", " + c.name + " of " + name, module: asking(name, ", validate_"+section+"_rrs: {"+c.conditions+"}"), target: names("udp")})
			}
		}
	}
	dot := func(more string) string {
		return asking("two.example", ", transport_protocol: tcp, dns_over_tls: true, tls_config: {"+more+"}")
	}
	facts := []string{"dns-tls-facts"}
	gone := func(t *testing.T, _ *authority) string { return nobody(t) }
	return append(out,
		comparison{name: "dns: the text of a record", module: asking("two.example", `, validate_answer_rrs: {fail_if_not_matches_regexp: ['^two\.example\.\t60\tIN\tA\t192\.0\.2\.[12]$']}`), target: names("udp")},
		comparison{name: "dns: over TLS", module: dot("ca_file: CA"), target: names("tcp-tls"), differs: facts},
		comparison{name: "dns: over TLS of nobody known", module: dot(""), target: names("tcp-tls"), differs: []string{"tls-facts-when-refused"}},
		comparison{name: "dns: over TLS with server_name", module: dot("ca_file: CA, server_name: 127.0.0.1"), target: names("tcp-tls"), differs: facts},
		comparison{name: "dns: over TLS for another name", module: dot("ca_file: CA, server_name: shop.example"), target: names("tcp-tls"), differs: []string{"tls-facts-when-refused"}},
		comparison{name: "dns: over TLS and udp", module: asking("two.example", ", transport_protocol: udp, dns_over_tls: true"), target: names("udp"), differs: nil},
		comparison{name: "dns: over TLS without a transport", module: asking("two.example", ", dns_over_tls: true, tls_config: {ca_file: CA}"), target: names("tcp-tls"), differs: []string{"dns-tls-is-tcp"}},
		comparison{name: "dns: TLS of a server without it", module: "timeout: 300ms\n" + dot("ca_file: CA"), target: names("tcp")},
		comparison{name: "dns: nobody over udp", module: asking("two.example", ""), target: gone},
		comparison{name: "dns: nobody over tcp", module: asking("two.example", ", transport_protocol: tcp"), target: gone},
		comparison{name: "dns: silence", module: "timeout: 300ms\n" + asking("two.example", ""), target: func(t *testing.T, _ *authority) string {
			return nameServer(t, "udp", nil, func(dns.ResponseWriter, *dns.Msg) {})
		}},
		comparison{name: "dns: an answer to somebody else", module: "timeout: 300ms\n" + asking("two.example", ""), target: func(t *testing.T, _ *authority) string {
			return nameServer(t, "udp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
				m := zoneAnswer(q, true)
				m.Id++
				w.WriteMsg(m) // the prober says what it has got
			})
		}},
		comparison{name: "dns: an answer to somebody else over tcp", module: asking("two.example", ", transport_protocol: tcp"), target: func(t *testing.T, _ *authority) string {
			return nameServer(t, "tcp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
				m := zoneAnswer(q, true)
				m.Id++
				w.WriteMsg(m) // as above
			})
		}},
		comparison{name: "dns: truncated, and nobody over tcp", module: asking("big.example", ", query_type: A"), target: names("udp")},
		comparison{name: "dns: truncated", module: asking("big.example", ", query_type: A"), target: func(t *testing.T, _ *authority) string { return bothTransports(t) }, differs: []string{"dns-truncated"}},
		comparison{name: "dns: too much for a datagram over tcp", module: asking("big.example", ", query_type: A, transport_protocol: tcp"), target: names("tcp")},
		comparison{name: "dns: source address", module: asking("two.example", ", source_ip_address: 127.0.0.3"), target: names("udp")},
		comparison{name: "dns: ip6 of an address of ip4", module: asking("two.example", ", preferred_ip_protocol: ip6, ip_protocol_fallback: false"), target: names("udp")},
		comparison{name: "dns: a target without a host", module: asking("two.example", ""), target: func(*testing.T, *authority) string { return ":53530" }},
	)
}

// bothTransports is a name server over both.
func bothTransports(t *testing.T) string {
	l, c := sameTCPAndUDP(t)
	for _, s := range []*dns.Server{{Listener: l, Handler: dns.HandlerFunc(zone)}, {PacketConn: c, Handler: dns.HandlerFunc(zone)}} {
		activate(t, s)
	}
	return l.Addr().String()
}

func icmpComparisons() []comparison {
	at := func(host string) func(*testing.T, *authority) string {
		return func(*testing.T, *authority) string { return host }
	}
	return []comparison{
		{name: "icmp: this machine", module: "prober: icmp", target: at("127.0.0.1")},
		{name: "icmp: ttl", module: "prober: icmp\nicmp: {ttl: 3}", target: at("127.0.0.1")},
		{name: "icmp: payload", module: "prober: icmp\nicmp: {payload_size: 1000}", target: at("127.0.0.1")},
		{name: "icmp: whole", module: "prober: icmp\nicmp: {dont_fragment: true}", target: at("127.0.0.1")},
		{name: "icmp: source address", module: "prober: icmp\nicmp: {source_ip_address: 127.0.0.1}", target: at("127.0.0.1")},
		{name: "icmp: ip6 of an address of ip4", module: "prober: icmp\nicmp: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}", target: at("127.0.0.1")},
		{name: "icmp: no host", module: "prober: icmp", target: at("host..example")},
	}
}
