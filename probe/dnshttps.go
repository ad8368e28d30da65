package probe

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// dnsMessage is the media type of a DNS message in HTTP (RFC 8484, section 6).
const dnsMessage = "application/dns-message"

// overHTTPS asks a server of DNS over HTTPS (RFC 8484). The target is its URL, or
// its host, with or without a port, for the usual path /dns-query.
func (p *dnsProbe) overHTTPS(ctx context.Context) (*dns.Msg, error) {
	u, err := dohURL(p.t.target)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	to, from, err := p.t.endpoint(ctx, u.Hostname(), orElse(u.Port(), "443"), p.m.IP, p.m.SourceAddress)
	p.seconds.With("resolve").Add(time.Since(begun).Seconds())
	if err != nil {
		return nil, err
	}
	begun = time.Now()
	conn, err := p.t.dial(ctx, "tcp", to, from)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	protocols := []string{"h2", "http/1.1"}
	if !http2 {
		protocols = protocols[1:]
	}
	secure, err := p.t.handshake(ctx, conn, &p.m.TLS, orElse(p.t.hostname, u.Hostname()), protocols...)
	if err != nil {
		return nil, err
	}
	defer secure.Close()
	p.seconds.With("connect").Add(time.Since(begun).Seconds())
	begun = time.Now()
	defer func() { p.seconds.With("request").Add(time.Since(begun).Seconds()) }()
	client := overConn(secure)
	defer client.CloseIdleConnections()
	return p.post(ctx, client, u)
}

// dohURL reads the target of a query over HTTPS.
func dohURL(target string) (*url.URL, error) {
	if !strings.Contains(target, "://") {
		target = "https://" + target
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, failed(PhasePolicy, ReasonBadTarget, "the target of DNS over HTTPS: %w", err)
	}
	if u.Scheme != "https" || u.Hostname() == "" {
		return nil, failed(PhasePolicy, ReasonBadTarget, "the target of DNS over HTTPS is https://host/path or a host")
	}
	if u.Path == "" {
		u.Path = "/dns-query"
	}
	return u, nil
}

func (p *dnsProbe) post(ctx context.Context, client *http.Transport, u *url.URL) (*dns.Msg, error) {
	query, err := p.query.Pack()
	if err != nil {
		return nil, failed(PhaseRequest, ReasonOther, "write the query: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(query))
	if err != nil {
		return nil, failed(PhasePolicy, ReasonBadTarget, "%w", err)
	}
	r.Header.Set("Content-Type", dnsMessage)
	r.Header.Set("Accept", dnsMessage)
	r.Header.Set("User-Agent", userAgent)
	p.t.log.Debug("Making DNS query", "url", u.Redacted(), "question", p.query.Question[0].String())
	response, err := client.RoundTrip(r)
	if err != nil {
		return nil, failed(PhaseResponse, reasonOf(ctx, err), "DNS over HTTPS: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return nil, failed(PhaseResponse, ReasonStatus, "the server of DNS over HTTPS answers %s", response.Status)
	}
	if kind := response.Header.Get("Content-Type"); kind != dnsMessage {
		return nil, failed(PhaseResponse, ReasonProtocol, "the server of DNS over HTTPS answers %q, and not %s", kind, dnsMessage)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, dns.MaxMsgSize+1))
	if err != nil {
		return nil, failed(PhaseResponse, reasonOf(ctx, err), "receive the answer: %w", err)
	}
	answer := new(dns.Msg)
	if err := answer.Unpack(body); err != nil {
		return nil, failed(PhaseResponse, ReasonProtocol, "the answer: %w", err)
	}
	return answer, nil
}
