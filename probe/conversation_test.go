package probe_test

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"narthex/probe"
)

func expect(pattern string) probe.Step { return probe.Step{Expect: regexp.MustCompile(pattern)} }

// TestConversation has the same conversations over TCP and over a Unix socket.
func TestConversation(t *testing.T) {
	for name, c := range map[string]struct {
		steps   []probe.Step
		peer    string // see lines
		want    string
		metrics []string
	}{
		"connect only": {want: "ok", metrics: []string{"probe_failed_due_to_regex 0", "probe_failed_due_to_bytes 0", "probe_success 1"}},
		"a line": {
			steps: []probe.Step{expect("^220 .* ESMTP")}, peer: "> 220 mail ESMTP", want: "ok",
		},
		"the first lines do not match": {
			steps: []probe.Step{expect("^250 last")}, peer: "> 250-first\n> 250-second\n> 250 last", want: "ok",
		},
		"no line matches": {
			steps: []probe.Step{expect("^220")}, peer: "> 421 busy\nclose", want: "assert/mismatch",
			metrics: []string{"probe_failed_due_to_regex 1", "probe_success 0", `probe_failure_info{phase="assert",reason="mismatch"} 1`},
		},
		"what matched is sent back": {
			steps: []probe.Step{
				{Send: "NICK prober"},
				{Expect: regexp.MustCompile("PING :([^ ]+)"), Send: "PONG ${1}"},
				expect("^:[^ ]+ 001"),
			},
			peer: "< NICK prober\n> PING :4711\n< PONG 4711\n> :irc 001", want: "ok",
		},
		"labels of two steps": {
			steps: []probe.Step{
				{Expect: regexp.MustCompile("^SSH-([0-9.]+)-(.*)"), Labels: []probe.StepLabel{{"version", "${1}"}, {"software", "${2}"}}},
				{Expect: regexp.MustCompile("^hello (.*)"), Labels: []probe.StepLabel{{"user", "$1"}}},
			},
			peer: "> SSH-2.0-Narthex_1\n> hello world", want: "ok",
			metrics: []string{`probe_expect_info{software="Narthex_1",version="2.0"} 1`, `probe_expect_info{user="world"} 1`},
		},
		"labels of the same names in two steps": {
			steps: []probe.Step{
				{Expect: regexp.MustCompile("^a (.*)"), Labels: []probe.StepLabel{{"text", "$1"}}},
				{Expect: regexp.MustCompile("^b (.*)"), Labels: []probe.StepLabel{{"text", "$1"}}},
			},
			peer: "> a one\n> b two", want: "ok",
			metrics: []string{`probe_expect_info{text="one"} 1`, `probe_expect_info{text="two"} 1`},
		},
		"a label is bounded and valid": {
			steps: []probe.Step{{Expect: regexp.MustCompile("^(.*)$"), Labels: []probe.StepLabel{{"text", "$1"}}}},
			peer:  "> \xff" + strings.Repeat("x", 5000), want: "ok",
			metrics: []string{`probe_expect_info{text="` + "\uFFFD" + strings.Repeat("x", 2048-3) + `…"} 1`},
		},
		"bytes": {
			steps: []probe.Step{{Send: "\x00\x00\x00\x08\x04\xd2\x16\x2f", ExpectBytes: "S"}}, peer: "> S", want: "ok",
		},
		"other bytes": {
			steps: []probe.Step{{ExpectBytes: "SS"}}, peer: "> NN", want: "assert/mismatch", metrics: []string{"probe_failed_due_to_bytes 1"},
		},
		"too few bytes": {
			steps: []probe.Step{{ExpectBytes: "0123456789"}}, peer: "> 01234\nclose", want: "response/closed", metrics: []string{"probe_failed_due_to_bytes 0"},
		},
		"bytes after a line that came with them": {
			steps: []probe.Step{expect("^a$"), {ExpectBytes: "b\r\n"}, expect("^c$")}, peer: "> a\n> b\n> c", want: "ok",
		},
		"the longest line": {
			steps: []probe.Step{expect("^x+$")}, peer: "> " + strings.Repeat("x", 64<<10-4), want: "ok",
		},
		"a line that is too long": {
			steps: []probe.Step{expect("^y$")}, peer: "> " + strings.Repeat("x", 70<<10), want: "response/too_large",
		},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+" over "+network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				l, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				servePeer(t, l, lines(t, nil, c.peer))
				r := runModule(t, moduleOf(network, func(m *probe.Module) {
					m.TCP.Conversation, m.Unix.Conversation = c.steps, c.steps
				}), l.Addr().String())
				wantVerdict(t, r, c.want)
				wantMetrics(t, r, c.metrics...)
			})
		}
	}
}

func TestTCPOverTLS(t *testing.T) {
	server, ca := certified(t)
	smtp := []probe.Step{
		expect("^220 .* ESMTP"), {Send: "EHLO prober\r"}, expect("^250 STARTTLS"), {Send: "STARTTLS\r"}, expect("^220"),
		{StartTLS: true}, {Send: "EHLO prober\r"}, expect("^250 AUTH"), {Send: "QUIT\r"},
	}
	starttls := "> 220 mail ESMTP\n< EHLO prober\r\n> 250-mail\n> 250 STARTTLS\n< STARTTLS\r\n> 220 go on\n!\n< EHLO prober\r\n> 250 AUTH\n< QUIT\r"
	for name, c := range map[string]struct {
		change func(*probe.TCPModule)
		peer   string
		want   string
	}{
		"starttls": {func(m *probe.TCPModule) { m.Conversation = smtp }, starttls, "ok"},
		"starttls, and the certificate is not trusted": {func(m *probe.TCPModule) { m.Conversation, m.TLS.CA = smtp, "" }, starttls, "tls/cert_untrusted"},
		"tls": {func(m *probe.TCPModule) { m.UseTLS = true }, "!\n> hello", "ok"},
		"tls and starttls": {func(m *probe.TCPModule) {
			m.UseTLS, m.Conversation = true, []probe.Step{{StartTLS: true}, expect("inner")}
		}, "!\n!\n> inner", "ok"},
		"tls for another name":          {func(m *probe.TCPModule) { m.UseTLS, m.TLS.ServerName = true, "other.example" }, "!\n> hello", "tls/cert_hostname"},
		"tls with a peer that has none": {func(m *probe.TCPModule) { m.UseTLS = true }, "> 220 mail ESMTP", "tls/not_tls"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runModule(t, moduleOf("tcp", func(m *probe.Module) {
				m.TCP.TLS.CA = ca
				c.change(&m.TCP)
			}), peer(t, lines(t, server, c.peer)))
			wantVerdict(t, r, c.want)
			if c.want == "tls/not_tls" {
				return
			}
			for _, metric := range []string{"probe_ssl_earliest_cert_expiry ", "probe_ssl_last_chain_info{", "probe_tls_version_info{"} {
				if n := strings.Count(exposed(t, r, metric), "\n"); n != 1 {
					t.Errorf("%d lines of %s, want 1", n, metric)
				}
			}
		})
	}
}

func TestTCPHostnameIsTheNameOfTheCertificate(t *testing.T) {
	server, ca := certified(t)
	address := peer(t, lines(t, server, "!"))
	m := moduleOf("tcp", func(m *probe.Module) { m.TCP.UseTLS, m.TCP.TLS.CA = true, ca })
	for hostname, want := range map[string]string{"example.com": "ok", "other.example": "tls/cert_hostname"} {
		wantVerdict(t, runRequest(t, m, probe.Request{Target: address, Module: m.Name, Hostname: hostname}), want)
	}
}

func TestTCPTargets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for target, want := range map[string]string{
		address:           "connect/refused",
		"127.0.0.1":       "policy/bad_target",
		"127.0.0.1:99999": "policy/bad_target",
		"127.0.0.1:smtpx": "policy/bad_target",
		"[::1":            "policy/bad_target",
	} {
		wantVerdict(t, runModule(t, moduleOf("tcp", nil), target), want)
	}
}

func TestTCPSourceAddress(t *testing.T) {
	from := make(chan string, 1)
	address := peer(t, func(c net.Conn) { from <- c.RemoteAddr().(*net.TCPAddr).IP.String() })
	wantVerdict(t, runModule(t, moduleOf("tcp", func(m *probe.Module) { m.TCP.SourceAddress = "127.0.0.7" }), address), "ok")
	if got := <-from; got != "127.0.0.7" {
		t.Errorf("the connection comes from %s", got)
	}
	wantVerdict(t, runModule(t, moduleOf("tcp", func(m *probe.Module) { m.TCP.SourceAddress = "localhost" }), address), "policy/other")
}

func TestUnixSockets(t *testing.T) {
	server, ca := certified(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	servePeer(t, l, lines(t, server, "!\n> PONG"))
	secure := func(name string) *probe.Module {
		return moduleOf("unix", func(m *probe.Module) {
			m.Unix.UseTLS, m.Unix.TLS = true, probe.TLS{CA: ca, ServerName: name}
			m.Unix.Conversation = []probe.Step{expect("PONG")}
		})
	}
	wantVerdict(t, runModule(t, secure("example.com"), path), "ok")
	wantVerdict(t, runModule(t, secure(""), path), "tls/cert_hostname")
	wantVerdict(t, runModule(t, moduleOf("unix", nil), path+"-missing"), "connect/refused")
	// A path is no address that the guard could judge: where there are no Unix sockets
	// to be probed, none is.
	if _, err := probe.New(probe.Options{Modules: map[string]*probe.Module{"m": moduleOf("unix", nil)}}); err == nil {
		t.Error("a module for Unix sockets is taken where there are none")
	}
}

// TestSecretsThatComeBack has peers that repeat what they are sent.
func TestSecretsThatComeBack(t *testing.T) {
	const secret = "AUTH PLAIN c2VjcmV0"
	address := peer(t, lines(t, nil, "< "+secret+"\n> you said "+secret+"\nclose"))
	r := runModule(t, moduleOf("tcp", func(m *probe.Module) {
		m.TCP.Conversation = []probe.Step{{Send: secret}, expect("^never$")}
	}), address)
	wantVerdict(t, r, "assert/mismatch")
	if all := string(r.Log) + r.Failure.Error(); strings.Contains(all, "c2VjcmV0") {
		t.Errorf("the secret is shown: %s", all)
	}
}
