package probe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/openmetrics"
	"narthex/probe"
)

// onLoopback is a guard that lets the tests reach their servers.
var onLoopback = probe.Guard{Loopback: true, Private: true}

// here are the features of a program on a laptop, without CEL and HTTP/3.
var here = probe.Features{ICMP: openICMP, Unix: true}

// runModule makes one probe of target with a module.
func runModule(t *testing.T, m *probe.Module, target string) *probe.Result {
	t.Helper()
	return runWithin(t, m, target, 5*time.Second)
}

func runWithin(t *testing.T, m *probe.Module, target string, timeout time.Duration) *probe.Result {
	t.Helper()
	return runRequest(t, m, probe.Request{Target: target, Module: m.Name, Timeout: timeout})
}

func runRequest(t *testing.T, m *probe.Module, r probe.Request) *probe.Result {
	t.Helper()
	p, err := probe.New(probe.Options{Modules: map[string]*probe.Module{m.Name: m}, Guard: onLoopback, Features: here})
	if err != nil {
		t.Fatalf("the module %q: %v", m.Name, err)
	}
	out, err := p.Run(context.Background(), r)
	if err != nil {
		t.Fatalf("probing %q: %v", r.Target, err)
	}
	return out
}

// moduleOf returns a module of a prober with its defaults, changed by change.
func moduleOf(prober string, change func(*probe.Module)) *probe.Module {
	m := probe.Defaults("m")
	m.Prober = prober
	if change != nil {
		change(m)
	}
	return m
}

// verdict says how a probe ended: "ok", or its phase and reason.
func verdict(r *probe.Result) string {
	if r.Success {
		return "ok"
	}
	return string(r.Failure.Phase) + "/" + string(r.Failure.Reason)
}

// wantVerdict checks how a probe ended.
func wantVerdict(t *testing.T, r *probe.Result, want string) {
	t.Helper()
	if got := verdict(r); got != want {
		t.Errorf("the probe ends as %s, want %s: %v\n%s", got, want, r.Failure, r.Log)
	}
}

// exposed returns the lines of the metrics of a probe that begin with prefix,
// without their help.
func exposed(t *testing.T, r *probe.Result, prefix string) string {
	t.Helper()
	var text, out strings.Builder
	if err := openmetrics.WriteText(&text, r.Families); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if strings.HasPrefix(line, prefix) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// wantMetrics checks that the metrics have all these lines.
func wantMetrics(t *testing.T, r *probe.Result, lines ...string) {
	t.Helper()
	all := exposed(t, r, "")
	for _, want := range lines {
		if !strings.Contains("\n"+all, "\n"+want+"\n") {
			t.Errorf("there is no line %s in\n%s", want, all)
		}
	}
}

// peer is a server of a test: each connection is handed to serve in a goroutine of
// its own. When the test ends, all connections are closed and have to be done.
func peer(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	servePeer(t, l, serve)
	return l.Addr().String()
}

func servePeer(t *testing.T, l net.Listener, serve func(net.Conn)) {
	var mu sync.Mutex
	var conns []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			running.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
}

// certified returns what a server needs to speak TLS as 127.0.0.1 and
// example.com, and the certificate that a client has to trust.
func certified(t *testing.T, protocols ...string) (server *tls.Config, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	s.Close()
	ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return &tls.Config{Certificates: s.TLS.Certificates, NextProtos: protocols}, ca
}

// lines is a peer that plays a script: a line "> x" is sent as x\r\n, "< x" has to
// come as x\n, and "!" goes on in TLS. It closes the connection at the end.
func lines(t *testing.T, config *tls.Config, script string) func(net.Conn) {
	return func(c net.Conn) {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		for line := range strings.Lines(script) {
			kind, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			switch kind {
			case ">":
				if _, err := c.Write([]byte(text + "\r\n")); err != nil {
					return
				}
			case "<":
				got, err := readUntil(c, '\n')
				if err != nil {
					return
				}
				if want := text + "\n"; got != want {
					t.Errorf("the prober sends %q, want %q", got, want)
					return
				}
			case "close":
				return
			case "!":
				c = tls.Server(c, config)
			}
		}
		// The prober closes first, so that nothing it sends meets a closed socket.
		readUntil(c, 0)
	}
}

// readUntil reads byte by byte, so that nothing of what follows is lost.
func readUntil(c net.Conn, end byte) (string, error) {
	var out bytes.Buffer
	for b := make([]byte, 1); ; {
		if _, err := c.Read(b); err != nil {
			return out.String(), err
		}
		out.WriteByte(b[0])
		if b[0] == end && end != 0 {
			return out.String(), nil
		}
	}
}
