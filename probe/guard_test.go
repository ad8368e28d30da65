package probe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"narthex/internal/stats"
	"narthex/probe"
)

// trap is a server on this machine that nothing must reach: all addresses of the
// loopback network, and ::1, at one port, TCP and UDP.
type trap struct {
	port string
	hits atomic.Int64
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	for range 20 {
		if tr := tryTrap(t); tr != nil {
			return tr
		}
	}
	t.Fatal("no port is free on all addresses")
	return nil
}

func tryTrap(t *testing.T) *trap {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	tr := &trap{port: port}
	u, err := net.ListenPacket("udp", "0.0.0.0:"+port)
	if err != nil {
		return nil
	}
	t.Cleanup(func() { u.Close() })
	listeners := []net.Listener{l}
	if six, err := net.Listen("tcp", "[::1]:"+port); err == nil {
		t.Cleanup(func() { six.Close() })
		listeners = append(listeners, six)
	}
	for _, l := range listeners {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				tr.hits.Add(1)
				go func() {
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(time.Second))
					_, _ = c.Read(make([]byte, 4096))
					_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
				}()
			}
		}()
	}
	go func() {
		for b := make([]byte, 1); ; tr.hits.Add(1) {
			if _, _, err := u.ReadFrom(b); err != nil {
				return
			}
		}
	}()
	return tr
}

// untouched fails if something has reached the trap.
func (tr *trap) untouched(t *testing.T) {
	t.Helper()
	if n := tr.hits.Load(); n > 0 {
		t.Errorf("%d connections or datagrams have reached what the guard denies", n)
	}
}

// guarded returns a prober with a guard, and what it has counted.
func guarded(t *testing.T, g probe.Guard, env map[string]string, modules ...*probe.Module) (*probe.Prober, func() string) {
	t.Helper()
	o := probe.Options{Modules: map[string]*probe.Module{}, Guard: g, Features: everything(), Getenv: func(k string) string { return env[k] }}
	for _, m := range modules {
		o.Modules[m.Name] = m
	}
	p, err := probe.New(o)
	if err != nil {
		t.Fatal(err)
	}
	set := new(stats.Set)
	p.Register(set)
	return p, func() string {
		var b strings.Builder
		_, _ = set.WriteTo(&b)
		return b.String()
	}
}

// wantDenied checks that a probe is denied, and counted with the reason.
func wantDenied(t *testing.T, p *probe.Prober, counted func() string, module, target, reason string) {
	t.Helper()
	before := counted()
	r, err := p.Run(context.Background(), probe.Request{Target: target, Module: module, Timeout: 10 * time.Second})
	if err != nil {
		t.Errorf("%s: %v", target, err)
		return
	}
	if verdict(r) != "policy/denied" {
		t.Errorf("%s: the probe ends as %s, want policy/denied: %v", target, verdict(r), r.Failure)
		return
	}
	if after := counted(); after == before || !strings.Contains(after, `narthex_probe_denied_total{reason="`+reason+`"}`) {
		t.Errorf("%s: the denial is not counted as %s:\n%s", target, reason, after)
	}
}

// denials are addresses that the zero guard denies, with the reason.
var denials = []struct{ reason, hosts string }{
	{"loopback", `127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.254 127.1 127.0.1 2130706433 017700000001 0x7f000001 0X7F000001 0x7f.1 0177.0.0.1
		0x7f.0x0.0x0.0x1 0177.0.1 127.0.0.1. 127.1. 0 0.0.0.0 0.0.0.1 0x0 localhost LOCALHOST
		[::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::ffff:0.0.0.0] [::1%25lo]
		[::127.0.0.1] [::7f00:1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::127.0.0.1] [64:ff9b:1:7f00:0:100::]
		[2002:7f00:1::] [2002:7f00:1::1] [2001:0:7f00:1::] [2001:0:808:808::80ff:fffe] [2a00::5efe:7f00:1] [2a00::200:5efe:7f00:1]`},
	{"metadata", `169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518 169.254.169.254. [::ffff:169.254.169.254] [::a9fe:a9fe]
		[64:ff9b::169.254.169.254] [2002:a9fe:a9fe::] [fd00:ec2::254] [fd00:ec2::23] [fd00:ec2:0:0::254] [fd20:ce::254] 100.100.100.200 168.63.129.16 192.0.0.192`},
	{"link_local", `169.254.170.2 169.254.170.23 169.254.0.1 169.254.255.255 0xa9feaa02 [::ffff:169.254.170.2] [fe80::1] [fe80::1%25lo] [febf::1] [fe80::5efe:a00:1] [ff02::1] [ff01::1] 224.0.0.1`},
	{"private", `10.0.0.1 10.255.255.255 012.0.0.1 167772161 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 0xc0a80001 100.64.0.1 100.127.255.255
		192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 239.255.255.250 240.0.0.1 255.255.255.255
		[::ffff:10.0.0.1] [::10.0.0.1] [64:ff9b::10.0.0.1] [2002:a00:1::] [2001:0:a00:1::] [2a00::5efe:c0a8:1]
		[fc00::1] [fd12:3456::1] [fdff::1] [fec0::1] [ff0e::1] [2001:db8::1] [3fff::1] [5f00::1] [100::1] [2001:2::1]`},
}

func TestGuardDeniesEachSpelling(t *testing.T) {
	tr := newTrap(t)
	p, counted := guarded(t, probe.Guard{}, nil, moduleOf("http", nil))
	n := 0
	for _, d := range denials {
		for host := range strings.FieldsSeq(d.hosts) {
			n++
			wantDenied(t, p, counted, "m", "http://"+host+":"+tr.port+"/", d.reason)
		}
	}
	for _, target := range []string{
		"http://example.com@127.0.0.1:%s/", "http://user:pass@127.1:%s/", "http://127.0.0.1:80@2130706433:%s/", "127.0.0.1:%s", "LOCALHOST:%s/path",
		"HTTPS://127.0.0.1:%s/", "http://127.0.0.1:%s/?u=http://example.com", "http://127.0.0.1:%s/..", "http://[::ffff:127.0.0.1]:%s#x",
	} {
		n++
		wantDenied(t, p, counted, "m", fmt.Sprintf(target, tr.port), "loopback")
	}
	tr.untouched(t)
	t.Logf("%d targets", n)
	if n < 80 {
		t.Errorf("there are %d targets, want at least 80", n)
	}
}

// TestGuardHoldsForEveryProber has all probers aim at this machine.
func TestGuardHoldsForEveryProber(t *testing.T) {
	tr := newTrap(t)
	named := func(name, prober string, change func(*probe.Module)) *probe.Module {
		m := moduleOf(prober, change)
		m.Name = name
		return m
	}
	p, counted := guarded(t, probe.Guard{}, nil,
		named("http", "http", nil),
		named("http3", "http", func(m *probe.Module) { m.HTTP.EnableHTTP3, m.HTTP.Client.EnableHTTP2 = true, false }),
		named("tcp", "tcp", nil), named("tls", "tcp", func(m *probe.Module) { m.TCP.UseTLS = true }),
		named("dns", "dns", func(m *probe.Module) { m.DNS.QueryName = "example" }),
		named("dns over tcp", "dns", func(m *probe.Module) { m.DNS.QueryName, m.DNS.Transport = "example", "tcp" }),
		named("dns over https", "dns", func(m *probe.Module) { m.DNS.QueryName, m.DNS.Transport = "example", "https" }),
		named("icmp", "icmp", nil), named("grpc", "grpc", nil), named("websocket", "websocket", nil),
		named("resolver", "http", func(m *probe.Module) { m.Resolver = "udp://127.0.0.1:" + tr.port }),
		named("resolver over tcp", "http", func(m *probe.Module) { m.Resolver = "tcp://127.0.0.1:" + tr.port }),
		named("resolver over tls", "http", func(m *probe.Module) { m.Resolver = "tls://localhost:" + tr.port }),
		named("resolver over https", "http", func(m *probe.Module) { m.Resolver = "https://127.0.0.1:" + tr.port + "/dns-query" }),
		named("token", "http", func(m *probe.Module) {
			m.HTTP.Client.OAuth2 = &probe.OAuth2{ClientID: "me", TokenURL: "http://127.0.0.1:" + tr.port + "/token"}
		}),
		named("proxy", "http", func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "http://127.0.0.1:" + tr.port }),
		named("secure proxy", "http", func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "https://127.0.0.1:" + tr.port }),
		named("socks", "http", func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "socks5://127.0.0.1:" + tr.port }),
		named("happy", "tcp", func(m *probe.Module) { m.Addresses = "happy" }),
		named("all", "tcp", func(m *probe.Module) { m.Addresses = "all" }),
	)
	for module, target := range map[string]string{
		"http": "127.0.0.1:" + tr.port, "http3": "127.0.0.1:" + tr.port, "tcp": "127.0.0.1:" + tr.port, "tls": "localhost:" + tr.port,
		"dns": "127.0.0.1:" + tr.port, "dns over tcp": "127.0.0.1:" + tr.port, "dns over https": "https://127.0.0.1:" + tr.port + "/dns-query",
		"icmp": "127.0.0.1", "grpc": "127.0.0.1:" + tr.port, "websocket": "ws://127.0.0.1:" + tr.port,
		"resolver": "http://shop.example/", "resolver over tcp": "http://shop.example/", "resolver over tls": "http://shop.example/", "resolver over https": "http://shop.example/",
		"token": "http://8.8.8.8/", "proxy": "http://8.8.8.8/", "secure proxy": "http://8.8.8.8/", "socks": "http://8.8.8.8/",
		"happy": "localhost:" + tr.port, "all": "localhost:" + tr.port,
	} {
		wantDenied(t, p, counted, module, target, "loopback")
	}
	tr.untouched(t)
}

// on serves HTTP at an address of the loopback network.
func on(t *testing.T, host string, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ErrorLog: quiet()}
	go s.Serve(l) // it ends with Close
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

// only is a guard that allows 127.0.0.2 and nothing else of this machine.
var only = probe.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}

func TestGuardLooksAtRedirects(t *testing.T) {
	tr := newTrap(t)
	p, counted := guarded(t, only, nil, moduleOf("http", nil))
	var where atomic.Value
	where.Store("")
	first := on(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hop":
			http.Redirect(w, r, "/next", http.StatusFound)
		case "/", "/next":
			w.Header().Set("Location", where.Load().(string))
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	for to, reason := range map[string]string{
		"http://127.0.0.1:" + tr.port + "/": "loopback", "//127.0.0.1:" + tr.port + "/": "loopback", "http://localhost:" + tr.port + "/": "loopback",
		"http://2130706433:" + tr.port + "/": "loopback", "http://0x7f.1:" + tr.port + "/": "loopback", "http://[::1]:" + tr.port + "/": "loopback",
		"http://[::ffff:127.0.0.1]:" + tr.port: "loopback", "https://127.0.0.1:" + tr.port: "loopback", "http://127.0.0.2:1@127.0.0.1:" + tr.port: "loopback",
		"http://169.254.169.254/latest/meta-data/": "metadata", "http://[fd00:ec2::254]/": "metadata", "http://10.0.0.1/": "private", "http://[64:ff9b::7f00:1]/": "loopback",
	} {
		where.Store(to)
		for _, path := range []string{"/", "/hop"} {
			wantDenied(t, p, counted, "m", first+path, reason)
		}
	}
	tr.untouched(t)
}

func TestGuardLooksBehindProxies(t *testing.T) {
	tr := newTrap(t)
	var asked atomic.Int64
	proxy := on(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasSuffix(r.Host, "away.example") {
			http.Redirect(w, r, "http://127.0.0.1:"+tr.port+"/", http.StatusFound)
		}
	})
	resolved, found := moduleOf("http", nil), moduleOf("http", nil)
	resolved.HTTP.Client.Proxy.URL = proxy
	found.Name, found.HTTP.Client.Proxy.URL, found.HTTP.SkipResolvePhaseWithProxy = "found by the proxy", proxy, true
	p, counted := guarded(t, only, nil, resolved, found)
	for _, host := range []string{"127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "127.0.0.1.", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]"} {
		for _, m := range []string{"m", found.Name} {
			wantDenied(t, p, counted, m, "http://"+host+":"+tr.port+"/", "loopback")
			wantDenied(t, p, counted, m, "https://"+host+":"+tr.port+"/", "loopback")
		}
	}
	wantDenied(t, p, counted, found.Name, "http://169.254.169.254/", "metadata")
	for _, host := range []string{"１２７.０.０.１", "127。0。0。1", "①27.0.0.1", "𝟭𝟮𝟳.0.0.1"} {
		r, err := p.Run(t.Context(), probe.Request{Target: "http://" + host + ":" + tr.port + "/", Module: found.Name})
		if err != nil || r.Success || r.Failure.Reason != probe.ReasonBadTarget {
			t.Errorf("%s: %v, %v", host, err, r.Failure)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the proxy was asked %d times", n)
	}
	wantDenied(t, p, counted, found.Name, "http://away.example/", "loopback")
	if n := asked.Load(); n != 1 {
		t.Errorf("the proxy was asked %d times for what leads away, want once", n)
	}
	tr.untouched(t)
}

// TestGuardAndRebinding has a name server that gives another address each time.
func TestGuardAndRebinding(t *testing.T) {
	tr := newTrap(t)
	var asked atomic.Int64
	server := nameServerOn(t, "127.0.0.2", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			address := "127.0.0.2"
			if asked.Add(1)%2 == 0 {
				address = "127.0.0.1"
			}
			rr, _ := dns.NewRR(q.Question[0].Name + " 0 IN A " + address)
			m.Answer = []dns.RR{rr}
		}
		w.WriteMsg(m) // the prober says what it has got
	})
	m := moduleOf("http", func(m *probe.Module) { m.Resolver = "udp://" + server })
	p, counted := guarded(t, only, nil, m)
	// The first lookup is good, and whatever is asked for later goes there too.
	good := on(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/next" {
			http.Redirect(w, r, "http://rebind.example:"+r.Host[strings.LastIndex(r.Host, ":")+1:]+"/next", http.StatusFound)
		}
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(good, "http://"))
	r, err := p.Run(t.Context(), probe.Request{Target: "http://rebind.example:" + port + "/", Module: "m"})
	if err != nil || !r.Success {
		t.Errorf("the first lookup is to be kept: %v, %v\n%s", err, r.Failure, r.Log)
	}
	// The second one is not.
	wantDenied(t, p, counted, "m", "http://rebind.example:"+tr.port+"/", "loopback")
	tr.untouched(t)
}

// nameServerOn serves DNS over UDP.
func nameServerOn(t *testing.T, host string, handle dns.HandlerFunc) string {
	t.Helper()
	c, err := net.ListenPacket("udp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	started, done := make(chan struct{}), make(chan struct{})
	s := &dns.Server{PacketConn: c, Handler: handle, NotifyStartedFunc: func() { close(started) }}
	go func() {
		defer close(done)
		s.ActivateAndServe() // it ends with Shutdown
	}()
	<-started
	t.Cleanup(func() { s.Shutdown(); <-done }) // as above
	return c.LocalAddr().String()
}

func TestGuardAllowsExactly(t *testing.T) {
	for name, tt := range map[string]struct {
		guard           probe.Guard
		reached, denied []string
	}{
		"an address":             {guard: only, reached: []string{"127.0.0.2", "[::ffff:127.0.0.2]", "127.2"}, denied: []string{"127.0.0.1", "127.0.0.3", "[::1]", "[64:ff9b::127.0.0.2]"}},
		"a network":              {guard: probe.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/30")}}, reached: []string{"127.0.0.1", "127.0.0.3"}, denied: []string{"127.0.0.4", "[::1]"}},
		"loopback":               {guard: probe.Guard{Loopback: true}, reached: []string{"127.0.0.1", "127.0.0.9", "0.0.0.0"}, denied: []string{"10.0.0.1"}},
		"loopback but for one":   {guard: probe.Guard{Loopback: true, Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}}, reached: []string{"127.0.0.1"}, denied: []string{"127.0.0.9", "[::ffff:127.0.0.9]", "[64:ff9b::127.0.0.9]"}},
		"what is denied as well": {guard: probe.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, denied: []string{"127.0.0.2"}},
		"what is never allowed":  {guard: probe.Guard{Loopback: true, Private: true, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}, reached: []string{"127.0.0.1"}, denied: []string{"169.254.169.254", "169.254.170.2", "[fe80::1%25lo]", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[::ffff:169.254.0.1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrap(t)
			m := moduleOf("http", nil)
			p, _ := guarded(t, tt.guard, nil, m)
			probed := func(host string) *probe.Result {
				r, err := p.Run(t.Context(), probe.Request{Target: "http://" + host + ":" + tr.port + "/", Module: "m", Timeout: 3 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			for _, host := range tt.denied {
				if r := probed(host); verdict(r) != "policy/denied" {
					t.Errorf("%s: the probe ends as %s, want it denied", host, verdict(r))
				}
			}
			tr.untouched(t)
			for _, host := range tt.reached {
				before := tr.hits.Load()
				if probed(host); tr.hits.Load() == before {
					t.Errorf("%s is not reached", host)
				}
			}
		})
	}
}

// TestGuardProtectsTheRuntime has Lambda's own services on loopback.
func TestGuardProtectsTheRuntime(t *testing.T) {
	tr, other := newTrap(t), newTrap(t)
	everywhere := probe.Guard{Loopback: true, Private: true, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	for name, value := range map[string]string{
		"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:" + tr.port, "AWS_LAMBDA_METADATA_API": "127.0.0.1:" + tr.port,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:" + tr.port + "/v2/credentials", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[::1]:" + tr.port,
	} {
		p, counted := guarded(t, everywhere, map[string]string{name: value}, moduleOf("http", nil))
		for _, host := range []string{"127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0", "0", "2130706433", "[::1]", "[::]", "[::ffff:127.0.0.1]"} {
			wantDenied(t, p, counted, "m", "http://"+host+":"+tr.port+"/2018-06-01/runtime/invocation/next", "runtime")
		}
		before := other.hits.Load()
		if _, err := p.Run(t.Context(), probe.Request{Target: "http://127.0.0.1:" + other.port, Module: "m"}); err != nil || other.hits.Load() == before {
			t.Errorf("%s: another port is not reached: %v", name, err)
		}
	}
	tr.untouched(t)
}

// TestQUICStaysWithItsPeer sees to it that HTTP/3 goes through the guard and works
// where it may.
func TestQUICStaysWithItsPeer(t *testing.T) {
	ca := newAuthority(t)
	target := serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}}, text("three"))
	m := moduleOf("http", func(m *probe.Module) {
		m.HTTP.EnableHTTP3, m.HTTP.Client.EnableHTTP2, m.HTTP.Client.TLS.CAFile = true, false, ca.file
		m.HTTP.ValidHTTPVersions = []string{"HTTP/3.0"}
	})
	p, _ := guarded(t, onLoopback, nil, m)
	r, err := p.Run(t.Context(), probe.Request{Target: target, Module: "m"})
	if err != nil || !r.Success {
		t.Fatalf("HTTP/3 fails where it is allowed: %v, %v\n%s", err, r.Failure, r.Log)
	}
	redirected := serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for want, target := range map[string]string{
		"ok":                redirected,
		"tls/cert_expired":  serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, expired, "127.0.0.1")}}, text("")),
		"tls/cert_hostname": serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "shop.example")}}, text("")),
		"connect/timeout":   "https://" + silent.LocalAddr().String(),
		"assert/status":     serveHTTP3(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}}, onlyStatus(503)),
	} {
		timeout := 10 * time.Second
		if strings.HasSuffix(want, "timeout") {
			timeout = 500 * time.Millisecond
		}
		r, err := p.Run(t.Context(), probe.Request{Target: target, Module: "m", Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, r, want)
		if strings.HasPrefix(want, "tls") && exposed(t, r, "probe_ssl_earliest_cert_expiry ") == "" {
			t.Errorf("%s: the certificate is not told of", want)
		}
	}
	wantMetrics(t, r, "probe_http_version 3", "probe_http_status_code 200", "probe_http_ssl 1", "probe_http_uncompressed_body_length 5", `probe_tls_version_info{version="TLS 1.3"} 1`)
}
