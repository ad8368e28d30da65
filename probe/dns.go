package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"narthex/internal/message"
)

// dnsProbe is one query of a server and its answer.
type dnsProbe struct {
	t       *trial
	m       *DNSModule
	query   *dns.Msg
	seconds *gauge // by phase
}

// probeDNS asks the server that the target is, and validates its answer.
func probeDNS(ctx context.Context, t *trial) error {
	p := &dnsProbe{t: t, m: &t.module.DNS, seconds: t.gauge("probe_dns_duration_seconds", "Duration of DNS request by phase", "phase")}
	for _, phase := range []string{"resolve", "connect", "request"} {
		p.seconds.With(phase)
	}
	answers := t.gauge("probe_dns_answer_rrs", "Returns number of entries in the answer resource record list")
	authority := t.gauge("probe_dns_authority_rrs", "Returns number of entries in the authority resource record list")
	additional := t.gauge("probe_dns_additional_rrs", "Returns number of entries in the additional resource record list")
	succeeded := t.gauge("probe_dns_query_succeeded", "Displays whether or not the query was executed successfully")
	for _, g := range []*gauge{answers, authority, additional, succeeded} {
		g.Set(0)
	}
	var err error
	if p.query, err = p.m.message(); err != nil {
		return err
	}
	answer, err := p.ask(ctx)
	if err != nil {
		return err
	}
	t.log.Debug("Got response", "response", message.Clip(answer.String(), maxLine))
	answers.Set(float64(len(answer.Answer)))
	authority.Set(float64(len(answer.Ns)))
	additional.Set(float64(len(answer.Extra)))
	succeeded.Set(1)
	p.serial(answer)
	return p.validate(answer)
}

// message returns the query.
func (m *DNSModule) message() (*dns.Msg, error) {
	class, ok := dns.StringToClass[orElse(m.QueryClass, "IN")]
	if !ok {
		return nil, failed(PhasePolicy, ReasonOther, "query_class: there is no class %q", m.QueryClass)
	}
	kind, ok := dns.StringToType[orElse(m.QueryType, "ANY")]
	if !ok {
		return nil, failed(PhasePolicy, ReasonOther, "query_type: there is no type %q", m.QueryType)
	}
	for _, name := range m.ValidRcodes {
		if _, ok := dns.StringToRcode[name]; !ok {
			return nil, failed(PhasePolicy, ReasonOther, "valid_rcodes: there is no rcode %q", name)
		}
	}
	switch m.transport() {
	case "udp", "tcp", "https":
	default:
		return nil, failed(PhasePolicy, ReasonOther, "transport_protocol: it is udp, tcp or https, and not %q", m.Transport)
	}
	q := &dns.Msg{Question: []dns.Question{{Name: dns.Fqdn(m.QueryName), Qtype: kind, Qclass: class}}}
	q.RecursionDesired = m.Recursion
	if m.transport() != "https" {
		q.Id = dns.Id()
	}
	return q, nil
}

// transport is what the query travels over: udp unless something else is said or
// meant.
func (m *DNSModule) transport() string {
	if m.Transport == "" && m.OverTLS {
		return "tcp"
	}
	return orElse(m.Transport, "udp")
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// ask returns the answer. One that did not fit into a datagram is asked for once
// more over TCP, as every resolver does (RFC 7766, section 5); if that fails, what
// came is the answer.
func (p *dnsProbe) ask(ctx context.Context) (*dns.Msg, error) {
	if p.m.transport() == "https" {
		return p.overHTTPS(ctx)
	}
	host, port := hostPort(p.t.target, map[bool]string{false: "53", true: "853"}[p.m.OverTLS])
	begun := time.Now()
	to, from, err := p.t.endpoint(ctx, host, port, p.m.IP, p.m.SourceAddress)
	p.seconds.With("resolve").Add(time.Since(begun).Seconds())
	if err == nil && p.m.OverTLS && p.m.transport() != "tcp" {
		err = failed(PhasePolicy, ReasonOther, "dns_over_tls needs transport_protocol tcp, and it is %s", p.m.transport())
	}
	if err != nil {
		return nil, err
	}
	p.t.log.Debug("Making DNS query", "to", to.String(), "transport", p.m.transport(), "tls", p.m.OverTLS, "question", p.query.Question[0].String())
	answer, err := p.exchange(ctx, p.m.transport(), host, to, from)
	if err != nil || p.m.transport() != "udp" {
		return answer, err
	}
	p.t.gauge("probe_dns_truncated", "Whether the answer did not fit into a datagram").Set(oneIf(answer.Truncated))
	if !answer.Truncated {
		return answer, nil
	}
	whole, err := p.exchange(ctx, "tcp", host, to, from)
	if err != nil {
		p.t.log.Warn("The answer is truncated, and can't be had over TCP", "err", err)
		return answer, nil
	}
	return whole, nil
}

// exchange sends the query over a connection of its own.
func (p *dnsProbe) exchange(ctx context.Context, transport, host string, to netip.AddrPort, from netip.Addr) (*dns.Msg, error) {
	begun := time.Now()
	conn, err := p.t.dial(ctx, transport, to, from)
	if err != nil {
		return nil, err
	}
	defer func() { conn.Close() }()
	if p.m.OverTLS {
		secure, err := p.t.handshake(ctx, conn, &p.m.TLS, orElse(p.t.hostname, host))
		if err != nil {
			return nil, err
		}
		conn = secure
	}
	defer endWith(ctx, conn)()
	p.seconds.With("connect").Add(time.Since(begun).Seconds())
	begun = time.Now()
	defer func() { p.seconds.With("request").Add(time.Since(begun).Seconds()) }()
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(p.query); err != nil {
		return nil, failed(PhaseRequest, dnsReason(ctx, err), "send the query: %w", err)
	}
	for {
		answer, err := c.ReadMsg()
		if err != nil {
			return nil, failed(PhaseResponse, dnsReason(ctx, err), "receive the answer: %w", err)
		}
		if answer.Id == p.query.Id {
			return answer, nil
		}
		if transport != "udp" {
			return nil, failed(PhaseResponse, ReasonProtocol, "the answer is that of another query: its id is %d, and not %d", answer.Id, p.query.Id)
		}
	}
}

// dnsReason is reasonOf, for what may also be no message at all.
func dnsReason(ctx context.Context, err error) Reason {
	var malformed *dns.Error
	if errors.As(err, &malformed) {
		return ReasonProtocol
	}
	return reasonOf(ctx, err)
}

// hostPort splits a target whose port may be missing.
func hostPort(target, port string) (string, string) {
	if host, given, err := net.SplitHostPort(target); err == nil {
		return host, orElse(given, port)
	}
	return strings.TrimSuffix(strings.TrimPrefix(target, "["), "]"), port
}

// serial sets probe_dns_serial when the SOA record was asked for.
func (p *dnsProbe) serial(answer *dns.Msg) {
	if p.query.Question[0].Qtype != dns.TypeSOA {
		return
	}
	g := p.t.gauge("probe_dns_serial", "Returns the serial number of the zone")
	g.Set(0)
	for _, rr := range answer.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			g.Set(float64(soa.Serial))
		}
	}
}

// validate checks the answer's code and its three sections.
func (p *dnsProbe) validate(answer *dns.Msg) error {
	code := dns.RcodeToString[answer.Rcode]
	if valid := p.m.ValidRcodes; len(valid) == 0 && answer.Rcode != dns.RcodeSuccess || len(valid) > 0 && !slices.ContainsFunc(valid, func(name string) bool { return dns.StringToRcode[name] == answer.Rcode }) {
		return failed(PhaseAssert, ReasonStatus, "the answer's rcode is %s (%d), and not among the valid ones %v", code, answer.Rcode, orNoError(valid))
	}
	for _, s := range []struct {
		name    string
		records []dns.RR
		want    *Records
	}{
		{"answer", answer.Answer, &p.m.Answer},
		{"authority", answer.Ns, &p.m.Authority},
		{"additional", answer.Extra, &p.m.Additional},
	} {
		if err := s.want.validate(s.records); err != nil {
			return failed(PhaseAssert, ReasonRecords, "the %s section: %w", s.name, err)
		}
	}
	return nil
}

func orNoError(rcodes []string) []string {
	if len(rcodes) == 0 {
		return []string{"NOERROR"}
	}
	return rcodes
}
