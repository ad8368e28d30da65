package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// resolver is a name server that is asked instead of the system's (RFC 1035; RFC
// 7858 for tls, RFC 8484 for https). It knows nothing of /etc/hosts and of search
// domains: a name is what it is.
type resolver struct {
	scheme string
	host   string
	port   uint16
	url    string         // with https
	roots  *x509.CertPool // nil is the system's
}

// newResolver reads udp://1.1.1.1, tcp://1.1.1.1:53, tls://dns.example or
// https://dns.example/dns-query.
func newResolver(text string) (*resolver, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("resolver: %q is not like udp://1.1.1.1, tcp://1.1.1.1, tls://dns.example or https://dns.example/dns-query", text)
	}
	r := &resolver{scheme: u.Scheme, host: u.Hostname(), url: text}
	usual, known := map[string]uint16{"udp": 53, "tcp": 53, "tls": 853, "https": 443}[u.Scheme]
	if !known {
		return nil, fmt.Errorf("resolver: %q begins with %s, want udp, tcp, tls or https", text, u.Scheme)
	}
	if r.scheme != "https" && (u.Path != "" && u.Path != "/" || u.RawQuery != "") {
		return nil, fmt.Errorf("resolver: %q has a path, which only https has", text)
	}
	if r.port = usual; u.Port() != "" {
		if r.port, err = port(u.Port()); err != nil {
			return nil, fmt.Errorf("resolver: %w", err)
		}
	}
	return r, nil
}

// lookup returns the addresses of a name: network is ip, ip4 or ip6. The sockets
// are n's, so the guard looks at the server's address too.
func (r *resolver) lookup(ctx context.Context, n *network, network, host string) ([]netip.Addr, error) {
	if _, ok := dns.IsDomainName(host); !ok {
		return nil, &net.DNSError{Err: "it is no name", Name: host, IsNotFound: true}
	}
	kinds := map[string][]uint16{"ip4": {dns.TypeA}, "ip6": {dns.TypeAAAA}}[network]
	if kinds == nil {
		kinds = []uint16{dns.TypeA, dns.TypeAAAA}
	}
	type outcome struct {
		addrs []netip.Addr
		err   error
	}
	outcomes := make([]chan outcome, len(kinds))
	for i, kind := range kinds {
		outcomes[i] = make(chan outcome, 1)
		go func() {
			addrs, err := r.query(ctx, n, host, kind)
			outcomes[i] <- outcome{addrs, err}
		}()
	}
	var out []netip.Addr
	var failure error
	for _, c := range outcomes {
		o := <-c
		out = append(out, o.addrs...)
		if o.err != nil && failure == nil {
			failure = o.err
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, failure
}

// query asks for the records of one kind, and once more over TCP for an answer that
// did not fit into a datagram.
func (r *resolver) query(ctx context.Context, n *network, host string, kind uint16) ([]netip.Addr, error) {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(host), kind).SetEdns0(dns.DefaultMsgSize, false)
	answer, err := r.exchange(ctx, n, q, r.scheme)
	if err == nil && answer.Truncated && r.scheme == "udp" {
		answer, err = r.exchange(ctx, n, q, "tcp")
	}
	if err != nil {
		return nil, fmt.Errorf("the resolver %s: %w", r.url, err)
	}
	switch answer.Rcode {
	case dns.RcodeSuccess:
		return addressesIn(answer, q.Question[0].Name, kind), nil
	case dns.RcodeNameError:
		return nil, &net.DNSError{Err: "there is no such name", Name: host, Server: r.url, IsNotFound: true}
	}
	return nil, fmt.Errorf("the resolver %s answers %s", r.url, dns.RcodeToString[answer.Rcode])
}

// addressesIn returns the addresses of a name in an answer, through its aliases, and
// none of other names.
func addressesIn(m *dns.Msg, name string, kind uint16) (out []netip.Addr) {
	names := []string{dns.CanonicalName(name)}
	for range m.Answer { // an alias may stand behind what it leads to
		for _, rr := range m.Answer {
			if alias, ok := rr.(*dns.CNAME); ok && slices.Contains(names, dns.CanonicalName(alias.Hdr.Name)) && !slices.Contains(names, dns.CanonicalName(alias.Target)) {
				names = append(names, dns.CanonicalName(alias.Target))
			}
		}
	}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype != kind || !slices.Contains(names, dns.CanonicalName(rr.Header().Name)) {
			continue
		}
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, addr.Unmap())
		}
	}
	return out
}

// udpTries is how often a datagram is sent, each time with a share of the time.
const udpTries = 3

func (r *resolver) exchange(ctx context.Context, n *network, q *dns.Msg, scheme string) (*dns.Msg, error) {
	switch scheme {
	case "https":
		return r.overHTTPS(ctx, n, q)
	case "udp":
		var answer *dns.Msg
		var err error
		for left := udpTries; left > 0 && ctx.Err() == nil; left-- {
			if answer, err = r.once(ctx, n, q, scheme, left); err == nil || reasonOf(ctx, err) != ReasonTimeout {
				break
			}
		}
		return answer, err
	}
	return r.once(ctx, n, q, scheme, 1)
}

// once asks over a connection of its own, for its share of the time.
func (r *resolver) once(ctx context.Context, n *network, q *dns.Msg, scheme string, share int) (*dns.Msg, error) {
	transport := "tcp"
	if scheme == "udp" {
		transport = "udp"
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	conn, err := r.dial(ctx, n, transport)
	if err != nil {
		return nil, err
	}
	defer func() { conn.Close() }()
	if scheme == "tls" {
		secure := tls.Client(conn, &tls.Config{ServerName: r.host, RootCAs: r.roots, NextProtos: []string{"dot"}})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	defer endWith(ctx, conn)()
	c := &dns.Conn{Conn: conn, UDPSize: dns.DefaultMsgSize}
	if err := c.WriteMsg(q); err != nil {
		return nil, err
	}
	for {
		answer, err := c.ReadMsg()
		if err != nil {
			return nil, err
		}
		if answers(answer, q) {
			return answer, nil
		}
		if transport == "tcp" {
			return nil, errors.New("the answer is that of another query")
		}
	}
}

// dial connects to the server. If it has a name, the system's resolver finds it.
func (r *resolver) dial(ctx context.Context, n *network, transport string) (net.Conn, error) {
	addrs, err := systemLookup(ctx, "ip", r.host)
	if err != nil {
		return nil, asLookupFailure(ctx, r.host, err)
	}
	return n.dialAny(ctx, transport, addrs, r.port)
}

// answers reports whether a message is the answer to a query.
func answers(m, q *dns.Msg) bool {
	return m.Response && m.Id == q.Id && len(m.Question) == 1 && dns.CanonicalName(m.Question[0].Name) == dns.CanonicalName(q.Question[0].Name) && m.Question[0].Qtype == q.Question[0].Qtype
}

func (r *resolver) overHTTPS(ctx context.Context, n *network, q *dns.Msg) (*dns.Msg, error) {
	q.Id = 0 // RFC 8484, section 4.1
	packed, err := q.Pack()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(untraced(ctx), http.MethodPost, r.url, bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/dns-message")
	req.Header.Set("Accept", "application/dns-message")
	transport := &http.Transport{
		DialContext: func(_ context.Context, network, _ string) (net.Conn, error) {
			return r.dial(ctx, n, network)
		},
		TLSClientConfig: &tls.Config{RootCAs: r.roots}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, dns.MaxMsgSize))
	if err != nil {
		return nil, err
	}
	answer := new(dns.Msg)
	if err := answer.Unpack(text); err != nil {
		return nil, err
	}
	if !answers(answer, q) {
		return nil, errors.New("the answer is that of another query")
	}
	return answer, nil
}

// untraced returns a context that ends with ctx and has nothing of it: what a
// request is traced with is not for the lookup of its name.
func untraced(ctx context.Context) context.Context { return bare{ctx} }

// bare is a context without values.
type bare struct{ context.Context }

// Value implements [context.Context].
func (bare) Value(any) any { return nil }
