package probe

// remedies say what to look at, by reason; a reason that means other things in
// different phases has an entry with the phase first.
var remedies = map[string]string{
	"timeout":          "Nothing came in time. Raise the module's timeout if the target may be this slow; otherwise look at the last phase that has a time.",
	"dns/timeout":      "The resolver did not answer in time. Ask it by hand (dig), or choose another one with resolver in the module.",
	"connect/timeout":  "Packets are lost or dropped on the way: look at firewalls, security groups and routes between here and the target.",
	"tls/timeout":      "The connection stands, but the handshake does not end: is it a TLS port, and does the server answer others?",
	"response/timeout": "The request was sent and no answer came: look at the server, what it waits for, and its load.",
	"denied":           "The guard forbids this address. Private networks and this machine can be allowed (probes.guard in the configuration); link-local addresses and metadata services never are.",
	"not_allowed":      "Add the target to allowed_targets of the module, if the module's credentials are meant for it.",
	"unsupported":      "This place or program can't do that: use what the message names instead.",
	"bad_target":       "Write the target as the module's prober wants it: a URL for http, host:port for tcp and grpc, a host for icmp, a resolver for dns.",
	"no_such_host":     "The name does not exist: look for a typing error, for the zone's records, and whether this resolver knows a private zone.",
	"no_address":       "The name has no address of this family: set preferred_ip_protocol, or ip_protocol_fallback: true, in the module.",
	"resolver":         "The resolver failed or can't be reached: look at /etc/resolv.conf, or at resolver in the module.",
	"refused":          "Nothing listens on this port, or a firewall says so: is the service running, on this port and address?",
	"reset":            "The other end cut the connection: a proxy, a firewall or the service itself. Its log should say why.",
	"unreachable":      "There is no route: look at this machine's network, and at IPv6 if the address is one (preferred_ip_protocol: ip4).",
	"proxy":            "The proxy refused: look at its address, its credentials and what it lets through.",
	"closed":           "The other end hung up before the answer was whole: look at its log at this time.",
	"permission":       "The system forbids the socket or the file: for ICMP, net.ipv4.ping_group_range or CAP_NET_RAW.",
	"cert_expired":     "Renew the certificate. If it was renewed, the server still has the old one loaded: reload it.",
	"cert_hostname":    "The certificate is for other names: is it the right server, does it need SNI, or is the name missing in the certificate?",
	"cert_untrusted":   "Nobody who is trusted here signed it: is the intermediate certificate missing in what the server sends? For an authority of your own set tls_config.ca_file.",
	"handshake":        "The two did not agree: look at the TLS versions and at whether the server demands a client certificate.",
	"not_tls":          "This port does not speak TLS: use http:// or tls: false, or another port.",
	"unwanted":         "The module forbids what the target did (fail_if_ssl, redirects): change the one or the other.",
	"missing":          "The module demands what the target does not have (fail_if_not_ssl, a header): change the one or the other.",
	"protocol":         "The answer is not of this protocol: is it the right port, and the right prober?",
	"credential":       "A secret can't be read or was refused: look at the file or the variable, and whether it was renewed.",
	"too_large":        "The body is larger than body_size_limit: raise it, or probe a smaller page.",
	"redirects":        "Redirects go in a circle or where they can't be followed: look at Location in the log, or set follow_redirects: false.",
	"status":           "The target answers, but not as the module demands. If this status is good, list it in valid_status_codes.",
	"version":          "The target speaks another version of HTTP than valid_http_versions lists.",
	"body":             "The page was loaded, but it is not the one that is expected: look at its content, and at the module's conditions on the body.",
	"header":           "A header of the answer is not as the module demands: the log names those that came.",
	"encoding":         "The answer is not compressed as the module says: look at compression and at Accept-Encoding.",
	"mismatch":         "The peer answered something else than expected: the log has what it said.",
	"records":          "The records are not those that the module demands: the log has them.",
	"not_serving":      "The service is up and says itself that it does not serve: its log should say why.",
	"loss":             "No packet came back: many networks drop ICMP, so try tcp_connect against an open port too.",
	"panic":            "This is a defect of narthex: please report it with the log.",
}

// Remedy returns a sentence on what to look at.
func (f *Failure) Remedy() string {
	if s, ok := remedies[string(f.Phase)+"/"+string(f.Reason)]; ok {
		return s
	}
	if s, ok := remedies[string(f.Reason)]; ok {
		return s
	}
	return "The log has each step of the probe."
}
