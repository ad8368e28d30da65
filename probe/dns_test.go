package probe_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"narthex/probe"
)

// zone is a name server's answer to each name.
func zone(w dns.ResponseWriter, q *dns.Msg) {
	w.WriteMsg(zoneAnswer(q, w.LocalAddr().Network() == "udp")) // the prober says what it has got
}

func zoneAnswer(q *dns.Msg, udp bool) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	records := func(lines ...string) (out []dns.RR) {
		for _, l := range lines {
			rr, err := dns.NewRR(l)
			if err != nil {
				panic(err)
			}
			out = append(out, rr)
		}
		return out
	}
	switch name := strings.TrimSuffix(q.Question[0].Name, "."); name {
	case "two.example":
		m.Answer = records("two.example. 60 IN A 192.0.2.1", "two.example. 60 IN A 192.0.2.2")
		m.Ns = records("example. 60 IN NS ns.example.")
		m.Extra = records("ns.example. 60 IN A 192.0.2.53", "ns.example. 60 IN AAAA 2001:db8::53", "ns.example. 60 IN TXT x")
	case "soa.example":
		m.Answer = records("soa.example. 60 IN SOA ns.example. admin.example. 4711 1 1 1 1")
	case "nosoa.example":
		m.Answer = records("nosoa.example. 60 IN A 192.0.2.1")
	case "big.example":
		for i := range 100 {
			m.Answer = append(m.Answer, records(fmt.Sprintf("big.example. 60 IN A 192.0.2.%d", i))...)
		}
		if udp {
			m.Truncate(dns.MinMsgSize)
		}
	case "empty.example":
	default:
		m.Rcode = dns.StringToRcode[strings.ToUpper(strings.TrimSuffix(name, ".example"))]
	}
	return m
}

// nameServer serves over what network says: udp, tcp or tcp-tls.
func nameServer(t *testing.T, network string, config *tls.Config, handle dns.HandlerFunc) string {
	t.Helper()
	s := &dns.Server{Handler: handle}
	var address string
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.PacketConn, address = c, c.LocalAddr().String()
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		if network == "tcp-tls" {
			l = tls.NewListener(l, config)
		}
		s.Listener = l
	}
	activate(t, s)
	return address
}

// activate runs a name server until the test ends.
func activate(t *testing.T, s *dns.Server) {
	t.Helper()
	started, done := make(chan struct{}), make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go func() {
		defer close(done)
		s.ActivateAndServe() // it ends with Shutdown
	}()
	<-started
	t.Cleanup(func() { s.Shutdown(); <-done }) // as above
}

// dohServer serves DNS over HTTPS.
func dohServer(t *testing.T) (url, ca string) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q := new(dns.Msg)
		if err := q.Unpack(body); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/dns-message" {
			http.Error(w, "not a query", http.StatusBadRequest)
			return
		}
		switch r.URL.Path {
		case "/text":
			fmt.Fprint(w, "hello")
			return
		case "/forbidden":
			w.WriteHeader(http.StatusForbidden)
			return
		case "/damaged":
			w.Header().Set("Content-Type", "application/dns-message")
			w.Write(body[:5])
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		answer, _ := zoneAnswer(q, false).Pack()
		w.Write(answer)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// TestDNS asks the same over each transport.
func TestDNS(t *testing.T) {
	re := func(patterns ...string) (out []*regexp.Regexp) {
		for _, p := range patterns {
			out = append(out, regexp.MustCompile(p))
		}
		return out
	}
	server, ca := certified(t)
	doh, dohCA := dohServer(t)
	transports := map[string]struct {
		address string
		set     func(*probe.DNSModule)
	}{
		"udp":   {nameServer(t, "udp", nil, zone), func(*probe.DNSModule) {}},
		"tcp":   {nameServer(t, "tcp", nil, zone), func(m *probe.DNSModule) { m.Transport = "tcp" }},
		"tls":   {nameServer(t, "tcp-tls", server, zone), func(m *probe.DNSModule) { m.Transport, m.OverTLS, m.TLS.CA = "tcp", true, ca }},
		"https": {doh, func(m *probe.DNSModule) { m.Transport, m.TLS.CA = "https", dohCA }},
	}
	for name, c := range map[string]struct {
		query   string
		set     func(*probe.DNSModule)
		want    string
		metrics []string
	}{
		"sections": {query: "two", want: "ok", metrics: []string{
			"probe_dns_answer_rrs 2", "probe_dns_authority_rrs 1", "probe_dns_additional_rrs 3", "probe_dns_query_succeeded 1",
		}},
		"no records": {query: "empty", want: "ok", metrics: []string{"probe_dns_answer_rrs 0", "probe_dns_query_succeeded 1"}},
		"serial":     {query: "soa", set: func(m *probe.DNSModule) { m.QueryType = "SOA" }, want: "ok", metrics: []string{"probe_dns_serial 4711"}},
		"no serial":  {query: "nosoa", set: func(m *probe.DNSModule) { m.QueryType = "SOA" }, want: "ok", metrics: []string{"probe_dns_serial 0"}},
		"nxdomain":   {query: "nxdomain", want: "assert/status", metrics: []string{"probe_dns_query_succeeded 1"}},
		"servfail":   {query: "servfail", want: "assert/status"},
		"refused":    {query: "refused", want: "assert/status"},
		"nxdomain is valid": {
			query: "nxdomain", set: func(m *probe.DNSModule) { m.ValidRcodes = []string{"NOERROR", "NXDOMAIN"} }, want: "ok",
		},
		"noerror is not valid": {query: "two", set: func(m *probe.DNSModule) { m.ValidRcodes = []string{"NXDOMAIN"} }, want: "assert/status"},
		"fail_if_matches":      {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfMatches = re("192.0.2.2") }, want: "assert/records"},
		"fail_if_matches, none does": {
			query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfMatches = re("192.0.2.3") }, want: "ok",
		},
		// The exporter fails when not all match, against the name.
		"fail_if_all_match, all do":      {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfAllMatch = re("192.0.2") }, want: "ok"},
		"fail_if_all_match, one does":    {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfAllMatch = re("192.0.2.1") }, want: "assert/records"},
		"fail_if_all_match, no records":  {query: "empty", set: func(m *probe.DNSModule) { m.Answer.FailIfAllMatch = re("nowhere") }, want: "ok"},
		"fail_if_not_matches, all do":    {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfNotMatches = re("192.0.2", "60") }, want: "ok"},
		"fail_if_not_matches, one":       {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfNotMatches = re("192.0.2.1") }, want: "assert/records"},
		"fail_if_not_matches, none":      {query: "empty", set: func(m *probe.DNSModule) { m.Answer.FailIfNotMatches = re("nowhere") }, want: "assert/records"},
		"fail_if_none_matches, one does": {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfNoneMatches = re("nowhere", "192.0.2.1") }, want: "ok"},
		"fail_if_none_matches":           {query: "two", set: func(m *probe.DNSModule) { m.Answer.FailIfNoneMatches = re("nowhere") }, want: "assert/records"},
		"fail_if_none_matches, none":     {query: "empty", set: func(m *probe.DNSModule) { m.Answer.FailIfNoneMatches = re("nowhere") }, want: "assert/records"},
		"the text of a record": {
			query: "two", set: func(m *probe.DNSModule) {
				m.Answer.FailIfNotMatches = re(`^two\.example\.\t60\tIN\tA\t192\.0\.2\.[12]$`)
			}, want: "ok",
		},
		"authority":  {query: "two", set: func(m *probe.DNSModule) { m.Authority.FailIfNotMatches = re("ns.example.$") }, want: "ok"},
		"additional": {query: "two", set: func(m *probe.DNSModule) { m.Additional.FailIfMatches = re("TXT") }, want: "assert/records"},
		"too much for a datagram": {
			query: "big", set: func(m *probe.DNSModule) { m.QueryType = "A" }, want: "ok",
		},
	} {
		for transport, to := range transports {
			t.Run(name+" over "+transport, func(t *testing.T) {
				r := runModule(t, moduleOf("dns", func(m *probe.Module) {
					m.DNS.QueryName = c.query + ".example"
					to.set(&m.DNS)
					if c.set != nil {
						c.set(&m.DNS)
					}
				}), to.address)
				wantVerdict(t, r, c.want)
				wantMetrics(t, r, c.metrics...)
			})
		}
	}
}

// TestDNSTruncated asks for more than a datagram holds. Where TCP answers, that is
// the answer; where it does not, the datagram is.
func TestDNSTruncated(t *testing.T) {
	alone := nameServer(t, "udp", nil, zone)
	m := moduleOf("dns", func(m *probe.Module) { m.DNS.QueryName, m.DNS.QueryType = "big.example", "A" })
	both := runModule(t, m, bothTransports(t))
	wantVerdict(t, both, "ok")
	wantMetrics(t, both, "probe_dns_answer_rrs 100", "probe_dns_truncated 1")
	only := runModule(t, m, alone)
	wantVerdict(t, only, "ok")
	wantMetrics(t, only, "probe_dns_truncated 1")
	if strings.Contains(exposed(t, only, "probe_dns_answer_rrs"), "100") {
		t.Error("a datagram holds all records")
	}
}

// sameTCPAndUDP listens on a port for both.
func sameTCPAndUDP(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, c
		}
		l.Close()
	}
	t.Fatal("no port is free for both TCP and UDP")
	return nil, nil
}

func TestDNSQuery(t *testing.T) {
	got := make(chan *dns.Msg, 1)
	address := nameServer(t, "udp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
		got <- q
		zone(w, q)
	})
	for name, c := range map[string]struct {
		set     func(*probe.DNSModule)
		kind    uint16
		class   uint16
		recurse bool
	}{
		"defaults": {func(*probe.DNSModule) {}, dns.TypeANY, dns.ClassINET, true},
		"given":    {func(m *probe.DNSModule) { m.QueryType, m.QueryClass, m.Recursion = "TXT", "CH", false }, dns.TypeTXT, dns.ClassCHAOS, false},
	} {
		wantVerdict(t, runModule(t, moduleOf("dns", func(m *probe.Module) { m.DNS.QueryName = "two.example"; c.set(&m.DNS) }), address), "ok")
		q := <-got
		if q.Question[0] != (dns.Question{Name: "two.example.", Qtype: c.kind, Qclass: c.class}) || q.RecursionDesired != c.recurse {
			t.Errorf("%s: the query is %v", name, q)
		}
	}
}

func TestDNSFailures(t *testing.T) {
	server, _ := certified(t)
	doh, dohCA := dohServer(t)
	closed := nameServer(t, "tcp", nil, zone)
	garbage, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	go func() {
		b := make([]byte, 512)
		for {
			_, from, err := garbage.ReadFrom(b)
			if err != nil {
				return
			}
			garbage.WriteTo([]byte("not DNS"), from)
		}
	}()
	otherID := func(w dns.ResponseWriter, q *dns.Msg) {
		m := zoneAnswer(q, false)
		m.Id++
		w.WriteMsg(m) // as above
	}
	for name, c := range map[string]struct {
		target string
		set    func(*probe.DNSModule)
		want   string
	}{
		"nobody listens on udp":         {closed, func(*probe.DNSModule) {}, "response/refused"},
		"the answer is no message":      {garbage.LocalAddr().String(), func(*probe.DNSModule) {}, "response/protocol"},
		"another's answer on tcp":       {nameServer(t, "tcp", nil, otherID), func(m *probe.DNSModule) { m.Transport = "tcp" }, "response/protocol"},
		"another's answer on udp":       {nameServer(t, "udp", nil, otherID), func(*probe.DNSModule) {}, "response/timeout"},
		"the certificate of DoT":        {nameServer(t, "tcp-tls", server, zone), func(m *probe.DNSModule) { m.OverTLS = true }, "tls/cert_untrusted"},
		"the certificate of DoH":        {doh, func(m *probe.DNSModule) { m.Transport = "https" }, "tls/cert_untrusted"},
		"DoH that forbids":              {doh + "/forbidden", func(m *probe.DNSModule) { m.Transport, m.TLS.CA = "https", dohCA }, "response/status"},
		"DoH that says something else":  {doh + "/text", func(m *probe.DNSModule) { m.Transport, m.TLS.CA = "https", dohCA }, "response/protocol"},
		"DoH that is damaged":           {doh + "/damaged", func(m *probe.DNSModule) { m.Transport, m.TLS.CA = "https", dohCA }, "response/protocol"},
		"DoH in plain text":             {"http://127.0.0.1/", func(m *probe.DNSModule) { m.Transport = "https" }, "policy/bad_target"},
		"a port that is none":           {"127.0.0.1:dnsx", func(*probe.DNSModule) {}, "policy/bad_target"},
		"an address of another version": {"127.0.0.1", func(m *probe.DNSModule) { m.IP = probe.IP{Protocol: "ip6"} }, "dns/no_address"},
	} {
		t.Run(name, func(t *testing.T) {
			m := moduleOf("dns", func(m *probe.Module) { m.DNS.QueryName = "two.example"; c.set(&m.DNS) })
			wantVerdict(t, runWithin(t, m, c.target, 500*time.Millisecond), c.want)
		})
	}
}
