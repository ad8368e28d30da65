package probe_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"narthex/probe"
)

// stubborn are peers that give no answer, each in a way of its own.
var stubborn = map[string]func(net.Conn){
	"silent": func(c net.Conn) { io.Copy(io.Discard, c) },
	"dripping": func(c net.Conn) {
		for {
			if _, err := c.Write([]byte("2")); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond) // it is what dripping means
		}
	},
	"endless": func(c net.Conn) {
		go io.Copy(io.Discard, c)
		flood := bytes.Repeat([]byte("220 and so on\r\n"), 1000)
		for {
			if _, err := c.Write(flood); err != nil {
				return
			}
		}
	},
	"half-open": nil, // the kernel accepts, and nobody else
	"dripping after the handshake": func(c net.Conn) {
		c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
		for {
			if _, err := c.Write([]byte("X: y\r\n")); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond) // as above
		}
	},
}

// patient are modules that wait for something that does not come.
func patient() map[string]*probe.Module {
	out := map[string]*probe.Module{}
	add := func(name, prober string, change func(*probe.Module)) { out[name] = moduleOf(prober, change) }
	add("http", "http", nil)
	add("http, searching", "http", func(m *probe.Module) { m.HTTP.BodyNotMatches = []*regexp.Regexp{regexp.MustCompile("never")} })
	add("http, tls", "http", func(m *probe.Module) { m.HTTP.FailIfNotSSL = true })
	add("http, with a resolver", "http", func(m *probe.Module) { m.Resolver = "tcp://PEER" })
	add("http, with retries", "http", func(m *probe.Module) { m.Retries = 3 })
	add("http, all addresses", "http", func(m *probe.Module) { m.Addresses = "all" })
	add("tcp, happy", "tcp", func(m *probe.Module) {
		m.Addresses, m.TCP.Conversation = "happy", []probe.Step{expect("^never$")}
	})
	add("http, with a token", "http", func(m *probe.Module) {
		m.HTTP.Client.OAuth2 = &probe.OAuth2{ClientID: "me", TokenURL: "http://PEER/token"}
	})
	add("http, through a proxy", "http", func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "http://PEER" })
	add("http, tls through a proxy", "http", func(m *probe.Module) { m.HTTP.FailIfNotSSL, m.HTTP.Client.Proxy.URL = true, "http://PEER" })
	add("http, through socks", "http", func(m *probe.Module) { m.HTTP.Client.Proxy.URL = "socks5://PEER" })
	add("tcp", "tcp", func(m *probe.Module) { m.TCP.Conversation = []probe.Step{expect("^never$")} })
	add("tcp, bytes", "tcp", func(m *probe.Module) { m.TCP.Conversation = []probe.Step{{ExpectBytes: strings.Repeat("x", 16<<20)}} })
	add("tcp, sending", "tcp", func(m *probe.Module) {
		m.TCP.Conversation = []probe.Step{{Send: probe.Secret(strings.Repeat("x", 16<<20))}, expect("^never$")}
	})
	add("tcp, tls", "tcp", func(m *probe.Module) { m.TCP.UseTLS = true })
	add("tcp, starttls", "tcp", func(m *probe.Module) { m.TCP.Conversation = []probe.Step{{StartTLS: true}} })
	add("unix", "unix", func(m *probe.Module) { m.Unix.Conversation = []probe.Step{expect("^never$")} })
	add("dns, tcp", "dns", func(m *probe.Module) { m.DNS.QueryName, m.DNS.Transport = "example", "tcp" })
	add("dns, tls", "dns", func(m *probe.Module) { m.DNS.QueryName, m.DNS.OverTLS = "example", true })
	add("dns, https", "dns", func(m *probe.Module) { m.DNS.QueryName, m.DNS.Transport = "example", "https" })
	add("grpc", "grpc", nil)
	add("grpc, tls", "grpc", func(m *probe.Module) { m.GRPC.UseTLS = true })
	add("websocket", "websocket", func(m *probe.Module) { m.WebSocket.Conversation = []probe.Step{expect("^never$")} })
	return out
}

// TestDeadlines has every prober face every stubborn peer: the verdict is there
// before the time is over, and in the end nothing is left.
func TestDeadlines(t *testing.T) {
	goroutines, sockets := runtime.NumGoroutine(), openSockets(t)
	t.Run("peers", func(t *testing.T) {
		for kind, serve := range stubborn {
			for name, m := range patient() {
				if strings.HasPrefix(name, "http, ") && kind != "silent" && kind != "endless" && os.Getenv("NARTHEX_ACCEPTANCE") == "" {
					continue // all of them take their time
				}
				t.Run(name+" with a "+kind+" peer", func(t *testing.T) {
					t.Parallel()
					inTime(t, m, stubbornTarget(t, m, serve))
				})
			}
		}
		t.Run("dns, udp with a silent peer", func(t *testing.T) {
			t.Parallel()
			inTime(t, moduleOf("dns", func(m *probe.Module) { m.DNS.QueryName = "example" }), nameServer(t, "udp", nil, func(dns.ResponseWriter, *dns.Msg) {}))
		})
		t.Run("dns, udp with an endless peer", func(t *testing.T) {
			t.Parallel()
			inTime(t, moduleOf("dns", func(m *probe.Module) { m.DNS.QueryName = "example" }), nameServer(t, "udp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
				m := new(dns.Msg).SetReply(q)
				for m.Id++; w.WriteMsg(m) == nil && t.Context().Err() == nil; {
					time.Sleep(time.Millisecond) // the loopback would drop more
				}
			}))
		})
		for name, serve := range httpWithoutEnd {
			t.Run("http with "+name, func(t *testing.T) {
				t.Parallel()
				m := patient()["http, searching"]
				inTime(t, m, stubbornTarget(t, m, serve))
			})
		}
		for name, send := range webSocketsWithoutEnd {
			t.Run("websocket, "+name, func(t *testing.T) {
				t.Parallel()
				inTime(t, moduleOf("websocket", func(m *probe.Module) { m.WebSocket.Conversation = []probe.Step{expect("^never$")} }), send(t))
			})
		}
	})
	settle(t, "goroutines", goroutines, func() int { return runtime.NumGoroutine() })
	settle(t, "sockets", sockets, func() int { return openSockets(t) })
}

// inTime checks that a probe fails within its timeout. A machine may be too busy for
// the few milliseconds that the verdict has on its way, but not each time; and when
// it ran other things late meanwhile, that a verdict was late says nothing, unless by
// far.
func inTime(t *testing.T, m *probe.Module, target string) {
	t.Helper()
	var late []string
	for _, timeout := range []time.Duration{250 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second} {
		busy := busyness()
		begun := time.Now()
		r := runWithin(t, m, target, timeout)
		took := time.Since(begun)
		lag := busy()
		if r.Success {
			t.Fatalf("the probe succeeds: %s", r.Log)
		}
		if took < timeout {
			return
		}
		if lag < 10*time.Millisecond || took > timeout+20*lag {
			late = append(late, fmt.Sprintf("%v of %v (%s)", took, timeout, verdict(r)))
		}
	}
	if late == nil {
		t.Log("the machine is too busy to tell to the millisecond")
		return
	}
	t.Errorf("the verdict comes after %s", strings.Join(late, ", "))
}

// busyness returns what tells, when it is called, how late this machine ran at worst
// what was due meanwhile.
func busyness() (worst func() time.Duration) {
	stop, lag := make(chan struct{}), make(chan time.Duration)
	go func() {
		const each = 5 * time.Millisecond
		most := time.Duration(0)
		for timer, due := time.NewTimer(each), time.Now().Add(each); ; due = time.Now().Add(each) {
			select {
			case <-timer.C:
				most = max(most, time.Since(due))
				timer.Reset(each)
			case <-stop:
				lag <- most
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-lag
	}
}

// stubbornTarget starts a peer and returns the target for a module.
func stubbornTarget(t *testing.T, m *probe.Module, serve func(net.Conn)) string {
	t.Helper()
	network, address := "tcp", "127.0.0.1:0"
	if m.Prober == "unix" {
		network, address = "unix", filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if serve == nil {
		t.Cleanup(func() { l.Close() })
	} else {
		servePeer(t, l, serve)
	}
	target := l.Addr().String()
	for _, address := range []*string{&m.Resolver, &m.HTTP.Client.Proxy.URL} {
		*address = strings.Replace(*address, "PEER", target, 1)
	}
	if o := m.HTTP.Client.OAuth2; o != nil {
		o.TokenURL = strings.Replace(o.TokenURL, "PEER", target, 1)
	}
	switch {
	case m.Resolver != "":
		target = "http://shop.example/"
	case m.Prober == "websocket":
		target = "ws://" + target
	case m.HTTP.FailIfNotSSL:
		target = "https://" + target
	}
	return target
}

// httpWithoutEnd are servers of HTTP that go on for ever in a way of their own.
var httpWithoutEnd = map[string]func(net.Conn){
	"a body that is never sent": func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
		io.Copy(io.Discard, c)
	},
	"a body that drips":          forever("HTTP/1.1 200 OK\r\n\r\n", "x", 10*time.Millisecond),
	"chunks that drip":           forever("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 10*time.Millisecond),
	"a body without end":         forever("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 16<<10), 0),
	"headers without end":        forever("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("x", 1000)+"\r\n", 0),
	"headers that drip":          forever("HTTP/1.1 200 OK\r\n", "X: y\r\n", 10*time.Millisecond),
	"informational answers":      forever("", "HTTP/1.1 103 Early Hints\r\n\r\n", 10*time.Millisecond),
	"a status line without end":  forever("HTTP/1.1 200 ", strings.Repeat("x", 1000), 0),
	"a connection that is reset": func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) },
}

// forever sends a beginning, and then the same again and again.
func forever(begin, again string, pause time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		c.Read(make([]byte, 4096)) // the request comes first
		go io.Copy(io.Discard, c)
		io.WriteString(c, begin)
		for {
			if _, err := io.WriteString(c, again); err != nil {
				return
			}
			time.Sleep(pause) // it is what dripping means
		}
	}
}

// settle waits until there is no more of something than before.
func settle(t *testing.T, what string, before int, count func() int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; {
		n := count()
		if n <= before {
			return
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d %s are left, and there were %d before\n%s", n, what, before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond) // the condition is polled
	}
}

// openSockets counts the sockets of this process, where the system tells; 0
// elsewhere.
func openSockets(t *testing.T) int {
	t.Helper()
	n := 0
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
