package probe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"narthex/probe"
)

// namesOf serves a zone: each name with its addresses.
func namesOf(zone map[string][]string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		records, known := zone[strings.ToLower(strings.TrimSuffix(q.Question[0].Name, "."))]
		if !known {
			m.Rcode = dns.RcodeNameError
		}
		for _, r := range records {
			if rr, err := dns.NewRR(q.Question[0].Name + " 0 IN " + r); err == nil && (rr.Header().Rrtype == q.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME) {
				m.Answer = append(m.Answer, rr)
				if alias, ok := rr.(*dns.CNAME); ok {
					if rr, err := dns.NewRR(alias.Target + " 0 IN A 127.0.0.1"); err == nil && q.Question[0].Qtype == dns.TypeA {
						m.Answer = append([]dns.RR{rr}, m.Answer...) // behind its alias, and before it
					}
				}
			}
		}
		w.WriteMsg(m) // the prober says what it has got
	}
}

func TestResolvers(t *testing.T) {
	zone := namesOf(map[string][]string{
		"one.example": {"A 127.0.0.1"}, "alias.example": {"CNAME one.example."}, "both.example": {"AAAA ::1", "A 127.0.0.1"}, "none.example": nil,
		"localhost": {"A 127.0.0.9"},
	})
	ca := newAuthority(t)
	config := with("127.0.0.1")(t, ca)
	doh := serveTLS(t, with("127.0.0.1")(t, ca), func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		q := new(dns.Msg)
		if err := q.Unpack(text); err != nil || r.Header.Get("Content-Type") != "application/dns-message" || r.URL.Path != "/dns-query" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		zone(toHTTP{w}, q)
	}) + "/dns-query"
	for _, resolver := range []string{"udp://" + nameServer(t, "udp", nil, zone), "tcp://" + nameServer(t, "tcp", nil, zone), "tls://" + nameServer(t, "tcp-tls", config, zone), doh} {
		scheme, _, _ := strings.Cut(resolver, ":")
		t.Run(scheme, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(strings.TrimPrefix(serve(t, text("here")), "http://"))
			for host, want := range map[string]string{"one.example": "ok", "ONE.example": "ok", "alias.example": "ok", "none.example": "dns/no_such_host", "nowhere.example": "dns/no_such_host", "localhost": "connect/refused", "127.0.0.1": "ok"} {
				m := moduleOf("http", func(m *probe.Module) { m.Resolver, m.HTTP.IP = resolver, probe.IP{Protocol: "ip4", Fallback: true} })
				p, _ := guarded(t, onLoopback, nil, m)
				probe.TrustResolvers(p, ca.pool)
				r, err := p.Run(t.Context(), probe.Request{Target: "http://" + host + ":" + port, Module: "m", Timeout: 5 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				wantVerdict(t, r, want)
			}
		})
	}
}

// toHTTP writes an answer as the body of one of HTTP.
type toHTTP struct{ http.ResponseWriter }

func (w toHTTP) WriteMsg(m *dns.Msg) error {
	text, err := m.Pack()
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}
func (toHTTP) LocalAddr() net.Addr  { return nil }
func (toHTTP) RemoteAddr() net.Addr { return nil }
func (toHTTP) Close() error         { return nil }
func (toHTTP) TsigStatus() error    { return nil }
func (toHTTP) TsigTimersOnly(bool)  {}
func (toHTTP) Hijack()              {}
func (toHTTP) Network() string      { return "https" }

// TestResolverFails names the reasons of resolvers that do not do their part.
func TestResolverFails(t *testing.T) {
	refusing := func(w dns.ResponseWriter, q *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused)) } // as above
	silent := func(dns.ResponseWriter, *dns.Msg) {}
	forging := func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR("other.example. 0 IN A 127.0.0.1")
		m.Answer = []dns.RR{rr}
		w.WriteMsg(m) // as above
	}
	for name, c := range map[string]struct{ resolver, want string }{
		"refuses":                  {"udp://" + nameServer(t, "udp", nil, refusing), "dns/resolver"},
		"is silent":                {"udp://" + nameServer(t, "udp", nil, silent), "dns/timeout"},
		"answers for another name": {"udp://" + nameServer(t, "udp", nil, forging), "dns/no_such_host"},
		"is gone":                  {"tcp://" + nobody(t), "connect/refused"},
		"is nobody trusted":        {"tls://" + nameServer(t, "tcp-tls", with("127.0.0.1")(t, newAuthority(t)), refusing), "dns/resolver"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if strings.HasSuffix(c.want, "timeout") {
				timeout = 500 * time.Millisecond
			}
			r := runWithin(t, moduleOf("http", func(m *probe.Module) { m.Resolver = c.resolver }), "http://one.example/", timeout)
			wantVerdict(t, r, c.want)
		})
	}
	for _, bad := range []string{"1.1.1.1", "udp://", "ftp://1.1.1.1", "udp://1.1.1.1/path", "udp://1.1.1.1:http2", "tls://u:p@1.1.1.1"} {
		m := moduleOf("http", func(m *probe.Module) { m.Resolver = bad })
		if _, err := probe.New(probe.Options{Modules: map[string]*probe.Module{"m": m}}); err == nil || !strings.Contains(err.Error(), "resolver") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

// TestUDPIsAskedAgain: a datagram may be lost.
func TestUDPIsAskedAgain(t *testing.T) {
	var asked atomic.Int64
	answer := namesOf(map[string][]string{"one.example": {"A 127.0.0.1"}})
	server := nameServer(t, "udp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
		if asked.Add(1) > 2 { // of each kind of address one
			answer(w, q)
		}
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(serve(t, text("here")), "http://"))
	wantVerdict(t, runWithin(t, moduleOf("http", func(m *probe.Module) { m.Resolver = "udp://" + server }), "http://one.example:"+port, 2*time.Second), "ok")
}

func TestTruncatedAnswerIsAskedForOverTCP(t *testing.T) {
	records := make([]string, 0, 200)
	for i := range 200 {
		records = append(records, fmt.Sprintf("A 127.0.1.%d", i))
	}
	zone := namesOf(map[string][]string{"many.example": append([]string{"A 127.0.0.1"}, records...)})
	var overTCP atomic.Int64
	for range 20 { // until a port is free for both
		server := nameServer(t, "tcp", nil, func(w dns.ResponseWriter, q *dns.Msg) { overTCP.Add(1); zone(w, q) })
		c, err := net.ListenPacket("udp", server)
		if err != nil {
			continue
		}
		s := &dns.Server{PacketConn: c, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			m.Truncated = true
			w.WriteMsg(m) // as above
		})}
		done := make(chan struct{})
		go func() { defer close(done); s.ActivateAndServe() }() // it ends with the socket
		defer func() { c.Close(); <-done }()
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(serve(t, text("here")), "http://"))
		m := moduleOf("http", func(m *probe.Module) { m.Resolver, m.HTTP.IP = "udp://"+server, probe.IP{Protocol: "ip4"} })
		wantVerdict(t, runModule(t, m, "http://many.example:"+port), "ok")
		if overTCP.Load() == 0 {
			t.Error("TCP was not asked")
		}
		return
	}
	t.Fatal("no port is free for TCP and UDP")
}

// twoOfThree serves at 127.0.0.1 and 127.0.0.2 at one port, and nobody at 127.0.0.3.
func twoOfThree(t *testing.T, second http.HandlerFunc) (port string) {
	t.Helper()
	for range 20 {
		first := on(t, "127.0.0.1", text("first"))
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(first, "http://"))
		l, err := net.Listen("tcp", "127.0.0.2:"+port)
		if err != nil {
			continue
		}
		s := &http.Server{Handler: second, ErrorLog: quiet()}
		go s.Serve(l) // it ends with Close
		t.Cleanup(func() { s.Close() })
		return port
	}
	t.Fatal("no port is free at both addresses")
	return ""
}

func TestAddresses(t *testing.T) {
	server := nameServer(t, "udp", nil, namesOf(map[string][]string{
		"two.example": {"A 127.0.0.1", "A 127.0.0.2"}, "three.example": {"A 127.0.0.1", "A 127.0.0.2", "A 127.0.0.3"}, "late.example": {"A 127.0.0.3", "A 127.0.0.2"},
	}))
	port := twoOfThree(t, text("second"))
	sick := twoOfThree(t, onlyStatus(503))
	for name, c := range map[string]struct {
		mode, target, want string
		metrics            []string
	}{
		"one":                  {mode: "one", target: "three.example:" + port, want: "ok"},
		"one that is gone":     {mode: "one", target: "late.example:" + port, want: "connect/refused"},
		"happy":                {mode: "happy", target: "late.example:" + port, want: "ok", metrics: []string{"probe_ip_protocol 4", "probe_ip_addr_hash 3.618585652e+09"}},
		"all":                  {mode: "all", target: "two.example:" + port, want: "ok", metrics: []string{"probe_addresses 2", `probe_address_success{address="127.0.0.1"} 1`, `probe_address_success{address="127.0.0.2"} 1`}},
		"all, and one is gone": {mode: "all", target: "three.example:" + port, want: "connect/refused", metrics: []string{"probe_addresses 3", `probe_address_success{address="127.0.0.1"} 1`, `probe_address_success{address="127.0.0.3"} 0`, "probe_success 0"}},
		"all, and one is sick": {mode: "all", target: "two.example:" + sick, want: "assert/status", metrics: []string{"probe_http_status_code 503", `probe_address_success{address="127.0.0.1"} 1`, `probe_address_success{address="127.0.0.2"} 0`}},
		"all of one":           {mode: "all", target: "127.0.0.1:" + port, want: "ok", metrics: []string{"probe_addresses 1", `probe_address_success{address="127.0.0.1"} 1`}},
	} {
		t.Run(name, func(t *testing.T) {
			for prober, target := range map[string]string{"http": "http://" + c.target, "tcp": c.target} {
				if prober == "tcp" && c.want == "assert/status" {
					continue // it connects
				}
				r := runModule(t, moduleOf(prober, func(m *probe.Module) {
					m.Addresses, m.Resolver = c.mode, "udp://"+server
					m.HTTP.IP.Protocol, m.TCP.IP.Protocol = "ip4", "ip4"
				}), target)
				wantVerdict(t, r, c.want)
				if prober == "http" {
					wantMetrics(t, r, c.metrics...)
				}
			}
		})
	}
}

// TestHappyPassesTheSilent: an address that does not answer is passed by.
func TestHappyPassesTheSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	full := fill(t, "127.0.0.3", l)
	server := nameServer(t, "udp", nil, namesOf(map[string][]string{"late.example": {"A 127.0.0.3", "A 127.0.0.2"}}))
	m := moduleOf("tcp", func(m *probe.Module) { m.Addresses, m.Resolver, m.TCP.IP.Protocol = "happy", "udp://"+server, "ip4" })
	r := runWithin(t, m, "late.example:"+full, 5*time.Second)
	wantVerdict(t, r, "ok")
}

// fill makes a socket at the port of l whose queue of connections is full, so that
// who connects waits.
func fill(t *testing.T, host string, l net.Listener) (port string) {
	t.Helper()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	unanswered(t, net.JoinHostPort(host, port))
	return port
}

func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		retries  int
		good     int64 // the first request that is answered well
		want     string
		attempts string
	}{
		"none":             {good: 2, want: "assert/status"},
		"not needed":       {retries: 2, good: 1, want: "ok", attempts: "probe_attempts 1"},
		"one":              {retries: 2, good: 2, want: "ok", attempts: "probe_attempts 2"},
		"as many as there": {retries: 2, good: 3, want: "ok", attempts: "probe_attempts 3"},
		"too few":          {retries: 2, good: 4, want: "assert/status", attempts: "probe_attempts 3"},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) < c.good {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			r := runModule(t, moduleOf("http", func(m *probe.Module) { m.Retries = c.retries }), target)
			wantVerdict(t, r, c.want)
			if c.attempts != "" {
				wantMetrics(t, r, c.attempts)
			}
			if int64(r.Attempts) != min(c.good, int64(c.retries)+1) || n.Load() != int64(r.Attempts) {
				t.Errorf("%d attempts, %d requests", r.Attempts, n.Load())
			}
		})
	}
}

// TestRetriesShareTheTime: an attempt that hangs leaves time for the next one.
func TestRetriesShareTheTime(t *testing.T) {
	var n atomic.Int64
	target := "http://" + listen(t, func(c net.Conn) {
		if n.Add(1) == 1 {
			io.Copy(io.Discard, c)
			return
		}
		c.Read(make([]byte, 4096))
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	r := runWithin(t, moduleOf("http", func(m *probe.Module) { m.Retries = 1 }), target, 2*time.Second)
	wantVerdict(t, r, "ok")
	if r.Attempts != 2 {
		t.Errorf("%d attempts", r.Attempts)
	}
}

// TestPanicIsAFailure has a CEL program that panics.
func TestPanicIsAFailure(t *testing.T) {
	m := moduleOf("http", func(m *probe.Module) { m.HTTP.BodyMatchesCEL = "true" })
	p, err := probe.New(probe.Options{Modules: map[string]*probe.Module{"m": m}, Guard: onLoopback, Features: probe.Features{CEL: func(string) (probe.CELProgram, error) { return explosive{}, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Run(t.Context(), probe.Request{Target: serve(t, text("{}")), Module: "m"})
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, r, "internal/panic")
	wantMetrics(t, r, "probe_success 0", `probe_failure_info{phase="internal",reason="panic"} 1`)
	if !strings.Contains(string(r.Log), "goroutine") {
		t.Errorf("the log has no stack:\n%s", r.Log)
	}
}

type explosive struct{}

func (explosive) Eval(context.Context, any) (bool, error) { panic("bang") }

// TestWhatThisPlaceLacks: it is said when the modules are read, with what to use.
func TestWhatThisPlaceLacks(t *testing.T) {
	for want, m := range map[string]*probe.Module{
		"prober: tcp":                     moduleOf("icmp", nil),
		"beside the socket":               moduleOf("unix", nil),
		"fail_if_body_not_matches_regexp": moduleOf("http", func(m *probe.Module) { m.HTTP.BodyMatchesCEL = "true" }),
		"enable_http2":                    moduleOf("http", func(m *probe.Module) { m.HTTP.EnableHTTP3, m.HTTP.Client.EnableHTTP2 = true, false }),
	} {
		_, err := probe.New(probe.Options{Modules: map[string]*probe.Module{"m": m}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `module "m"`) {
			t.Errorf("got %v, want it to name the module and %s", err, want)
		}
	}
	bad := moduleOf("http", func(m *probe.Module) { m.HTTP.BodyMatchesCEL = "body." })
	if _, err := probe.New(probe.Options{Modules: map[string]*probe.Module{"m": bad}, Features: everything()}); err == nil || !strings.Contains(err.Error(), "body.") {
		t.Errorf("a bad CEL expression: got %v", err)
	}
}
