package probe

import (
	"github.com/miekg/dns"
	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

func (r *moduleReader) dns(path string, n *yaml.Node, d *DNSModule) {
	given := r.section(path, n, "settings of dns", append(r.ip(&d.IP), r.sourceAddress(&d.SourceAddress),
		r.boolean("dns_over_tls", &d.OverTLS), r.tlsConfig(&d.TLS), r.oneOf("transport_protocol", &d.Transport, "udp", "tcp", "https"),
		r.text("query_name", "a name", &d.QueryName),
		dnsWord(r, "query_type", &d.QueryType, "a type such as A, AAAA or SOA", dns.StringToType),
		dnsWord(r, "query_class", &d.QueryClass, "a class such as IN", dns.StringToClass),
		r.boolean("recursion_desired", &d.Recursion),
		field{"valid_rcodes", func(path string, n *yaml.Node) {
			d.ValidRcodes = nil
			r.list(path, n, "a list of codes such as NOERROR", func(path string, n *yaml.Node) {
				var s string
				dnsWord(r, "", &s, "a code such as NOERROR or NXDOMAIN", dns.StringToRcode).read(path, n)
				d.ValidRcodes = append(d.ValidRcodes, s)
			})
		}},
		r.records("validate_answer_rrs", &d.Answer), r.records("validate_authority_rrs", &d.Authority), r.records("validate_additional_rrs", &d.Additional))...)
	if given != nil && d.QueryName == "" {
		r.Errorf(n, path, "query_name is missing: say which name is to be asked for")
	}
}

// dnsWord is a field that is a word of the DNS protocol.
func dnsWord[T any](r *moduleReader, name string, p *string, wants string, known map[string]T) field {
	return field{name, func(path string, n *yaml.Node) {
		s, ok := r.open(path, n, wants)
		if _, found := known[s]; ok && s != "" && !found {
			r.Errorf(n, path, "%s is not known: want %s", message.Quote(s), wants)
		}
		*p = s
	}}
}

func (r *moduleReader) records(name string, p *Records) field {
	return field{name, func(path string, n *yaml.Node) {
		r.section(path, n, "conditions on records",
			r.regexps("fail_if_matches_regexp", &p.FailIfMatches), r.regexps("fail_if_all_match_regexp", &p.FailIfAllMatch),
			r.regexps("fail_if_not_matches_regexp", &p.FailIfNotMatches), r.regexps("fail_if_none_matches_regexp", &p.FailIfNoneMatches))
	}}
}
