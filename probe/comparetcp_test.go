package probe_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// says is a target that plays a script: see lines.
func says(script string) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string {
		return peer(t, lines(t, with("127.0.0.1")(t, ca), script))
	}
}

// atUnix is the same at a Unix socket.
func atUnix(script string) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		servePeer(t, l, lines(t, with("shop.example")(t, ca), script))
		return l.Addr().String()
	}
}

// mail is a server of SMTP, or of IMAP if that is so, that knows STARTTLS.
func mail(config func(*testing.T, *authority) *tls.Config, imap bool) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string {
		settings := config(t, ca)
		return peer(t, func(c net.Conn) {
			answers := smtpAnswers
			if imap {
				answers = imapAnswers
			}
			c.Write([]byte(answers("", false)))
			for in, secure := bufio.NewReader(c), false; ; {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				answer := answers(strings.TrimSpace(line), secure)
				if _, err := c.Write([]byte(answer)); err != nil {
					return
				}
				if strings.HasSuffix(strings.ToUpper(strings.TrimSpace(line)), "STARTTLS") {
					s := tls.Server(c, settings)
					if s.Handshake() != nil {
						return
					}
					c, in, secure = s, bufio.NewReader(s), true
				}
			}
		})
	}
}

func smtpAnswers(line string, secure bool) string {
	verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
	switch {
	case verb == "":
		return "220 mail.example ESMTP narthex\r\n"
	case verb == "EHLO" && secure:
		return "250-mail.example\r\n250-SIZE 1000\r\n250-AUTH PLAIN\r\n250 HELP\r\n"
	case verb == "EHLO":
		return "250-mail.example\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n"
	case verb == "STARTTLS":
		return "220 2.0.0 go on\r\n"
	case verb == "QUIT":
		return "221 bye\r\n"
	}
	return "500 what?\r\n"
}

func imapAnswers(line string, secure bool) string {
	_, verb, _ := strings.Cut(strings.ToUpper(line), " ")
	switch {
	case line == "":
		return "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"
	case verb == "STARTTLS":
		return ". OK begin\r\n"
	case verb == "CAPABILITY" && secure:
		return "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n. OK done\r\n"
	}
	return ". BAD what\r\n"
}

func tcpComparisons() []comparison {
	// steps are a module with these entries of query_response.
	steps := func(entries ...string) string {
		return "prober: tcp\ntcp:\n  query_response:\n  - " + strings.Join(entries, "\n  - ")
	}
	tlsOf := func(settings string) string { return "prober: tcp\ntcp: {tls: true, tls_config: {" + settings + "}}" }
	refused, cipher := []string{"tls-facts-when-refused"}, []string{"tls-cipher>25"}
	const smtp = `prober: tcp
tcp:
  tls_config: {ca_file: CA}
  query_response:
  - expect: "^220 ([^ ]+) ESMTP (.+)$"
  - send: "EHLO prober\r"
  - expect: "^250-STARTTLS"
  - send: "STARTTLS\r"
  - expect: "^220"
  - starttls: true
  - send: "EHLO prober\r"
  - expect: "^250-AUTH"
  - send: "QUIT\r"`
	const imap = `prober: tcp
tcp:
  tls_config: {ca_file: CA}
  query_response:
  - expect: "OK.*STARTTLS"
  - send: ". STARTTLS"
  - expect: "OK"
  - starttls: true
  - send: ". capability"
  - expect: "(?i)capability imap4rev1"`
	plain := "prober: tcp"
	gone := func(t *testing.T, _ *authority) string { return nobody(t) }
	return []comparison{
		{name: "tcp: connect", module: plain, target: says("")},
		{name: "tcp: nobody listens", module: plain, target: gone},
		{name: "tcp: nobody listens, with steps", module: steps(`expect: "x"`), target: gone},
		{name: "tcp: no port", module: plain, target: func(*testing.T, *authority) string { return "127.0.0.1" }},
		{name: "tcp: a port that is none", module: plain, target: func(*testing.T, *authority) string { return "127.0.0.1:99999" }},
		{name: "tcp: a URL", module: plain, target: func(*testing.T, *authority) string { return "http://127.0.0.1:80" }},
		{name: "tcp: ip4", module: "prober: tcp\ntcp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}", target: says("")},
		{name: "tcp: ip6 of an address of ip4", module: "prober: tcp\ntcp: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}", target: says("")},
		{name: "tcp: source address", module: "prober: tcp\ntcp: {source_ip_address: 127.0.0.3}", target: says("")},
		{name: "tcp: source address of another version", module: "prober: tcp\ntcp: {source_ip_address: '::1'}", target: says("")},
		{name: "tcp: a line", module: steps(`expect: "^220"`), target: says("> 220 hello")},
		{name: "tcp: a line without an end", module: steps(`expect: "^220$"`), target: func(t *testing.T, _ *authority) string {
			return peer(t, func(c net.Conn) { c.Write([]byte("220")) })
		}},
		{name: "tcp: the end of a line is not part of it", module: steps(`expect: "^220 hello$"`), target: says("> 220 hello")},
		{name: "tcp: the third line", module: steps(`expect: "^250 "`), target: says("> 220 a\n> 250-b\n> 250 c")},
		{name: "tcp: no line", module: steps(`expect: "^220"`), target: says("close")},
		{name: "tcp: no line matches", module: steps(`expect: "^220"`), target: says("> 421 busy\n> 421 still\nclose")},
		{name: "tcp: the second step does not match", module: steps(`expect: "^220"`, `expect: "^250"`), target: says("> 220 a\n> 421 b\nclose")},
		{name: "tcp: no line in time", module: "timeout: 300ms\n" + steps(`expect: "^220"`), target: says("> 421 busy")},
		{name: "tcp: half a line in time", module: "timeout: 300ms\n" + steps(`expect: "^220"`), target: func(t *testing.T, _ *authority) string {
			return peer(t, func(c net.Conn) { c.Write([]byte("220")); readUntil(c, 0) })
		}},
		{name: "tcp: an empty line", module: steps(`expect: "^$"`), target: says("> ")},
		{name: "tcp: a line of 60 KiB", module: steps(`expect: "^x+$"`), target: says("> " + strings.Repeat("x", 60<<10))},
		{name: "tcp: a line of 70 KiB", module: steps(`expect: "^x+$"`), target: says("> " + strings.Repeat("x", 70<<10))},
		{name: "tcp: bytes that are no text", module: steps(`expect: "^..$"`), target: says("> \xff\xfe")},
		{name: "tcp: send", module: steps(`send: "hello"`, `expect: "^you"`), target: says("< hello\n> you")},
		{name: "tcp: send with \\r", module: steps(`send: "hello\r"`, `expect: "^you"`), target: says("< hello\r\n> you")},
		{name: "tcp: send and expect in one step", module: steps(`{send: "hello", expect: "^220"}`, `expect: "^you"`), target: says("> 220\n< hello\n> you")},
		{name: "tcp: templates", module: steps(`{expect: "PING :(?P<id>[^ ]+) (.*)", send: "PONG ${1} $2 ${id} $none $$"}`, `expect: "001"`), target: says("> PING :47 11\n< PONG 47 11 47  $\n> 001")},
		{name: "tcp: a template of nothing is not sent", module: steps(`{expect: "^a(x?)", send: "${1}"}`, `{expect: "^b", send: "c"}`), target: says("> a\n> b\n< c")},
		{name: "tcp: a template without expect", module: steps(`send: "${1}"`, `expect: "^ok"`), target: says("< ${1}\n> ok")},
		{name: "tcp: IRC", module: steps(`send: "NICK prober"`, `send: "USER prober prober prober :prober"`, `{expect: "PING :([^ ]+)", send: "PONG ${1}"}`, `expect: "^:[^ ]+ 001"`), target: says("< NICK prober\n< USER prober prober prober :prober\n> :x NOTICE\n> PING :abc\n< PONG abc\n> :x 001 hi")},
		{name: "tcp: labels", since: 26, module: steps(`{expect: "^SSH-([0-9.]+)-(.*)", labels: [{name: version, value: "${1}"}, {name: software, value: "${2}"}, {name: fixed, value: x}]}`), target: says("> SSH-2.0-x y")},
		{name: "tcp: a label that is empty", since: 26, module: steps(`{expect: "^a(b?)", labels: [{name: b, value: "$1"}, {name: c, value: c}]}`), target: says("> a")},
		{name: "tcp: bytes", since: 28, module: steps(`{send: "x", expect_bytes: "yes"}`), target: says("> yes\n< x")},
		{name: "tcp: other bytes", since: 28, module: steps(`expect_bytes: "yes"`), target: says("> noo")},
		{name: "tcp: no bytes", since: 28, module: steps(`expect_bytes: "yes"`), target: says("close")},
		{name: "tcp: too few bytes", since: 28, module: steps(`expect_bytes: "yes"`), target: func(t *testing.T, _ *authority) string {
			return peer(t, func(c net.Conn) { c.Write([]byte("y")) })
		}},
		{name: "tcp: binary bytes", since: 28, module: "prober: tcp\ntcp:\n  query_response:\n  - send: !!binary AQID\n  - expect_bytes: S", target: func(t *testing.T, _ *authority) string {
			return peer(t, func(c net.Conn) { readUntil(c, '\n'); c.Write([]byte("S")); readUntil(c, 0) })
		}},

		{name: "tls: good", module: tlsOf("ca_file: CA"), target: says("!\n> hello"), differs: cipher},
		{name: "tls: with steps", module: "prober: tcp\ntcp: {tls: true, tls_config: {ca_file: CA}, query_response: [{expect: hello}, {send: x}]}", target: says("!\n> hello\n< x"), differs: cipher},
		{name: "tls: a step does not match", module: "prober: tcp\ntcp: {tls: true, tls_config: {ca_file: CA}, query_response: [{expect: never}]}", target: says("!\n> hello\nclose"), differs: cipher},
		{name: "tls: of nobody known", module: "prober: tcp\ntcp: {tls: true}", target: says("!"), differs: refused},
		{name: "tls: nothing is verified", module: tlsOf("insecure_skip_verify: true"), target: says("!\n> hello"), differs: cipher},
		{name: "tls: another name", module: tlsOf("ca_file: CA, server_name: shop.example"), target: says("!"), differs: refused},
		{name: "tls: hostname", since: 24, module: tlsOf("ca_file: CA"), hostname: "shop.example", target: func(t *testing.T, ca *authority) string {
			return peer(t, lines(t, with("shop.example")(t, ca), "!\n> hello"))
		}, differs: cipher},
		{name: "tls: server_name before hostname", since: 24, module: tlsOf("ca_file: CA, server_name: 127.0.0.1"), hostname: "shop.example", target: says("!\n> hello"), differs: cipher},
		{name: "tls: expired", module: tlsOf("ca_file: CA"), target: func(t *testing.T, ca *authority) string {
			return peer(t, lines(t, changed(expired, "127.0.0.1")(t, ca), "!"))
		}, differs: refused},
		{name: "tls: a peer without TLS", module: tlsOf("ca_file: CA"), target: says("> 220 hello")},
		{name: "tls: the peer hangs up", module: tlsOf("ca_file: CA"), target: says("close")},
		{name: "tls: no handshake in time", module: "timeout: 300ms\n" + tlsOf("ca_file: CA"), target: says("")},
		{name: "tls: too old", module: tlsOf("ca_file: CA"), target: func(t *testing.T, ca *authority) string {
			return peer(t, lines(t, speaking(tls.VersionTLS10, tls.VersionTLS11)(t, ca), "!"))
		}},
		{name: "tls: no file of the authority", module: tlsOf("ca_file: /nonexistent"), target: says("!")},

		{name: "starttls: smtp", module: smtp, target: mail(with("127.0.0.1"), false), differs: cipher},
		{name: "starttls: imap", module: imap, target: mail(with("127.0.0.1"), true), differs: cipher},
		{name: "starttls: smtp of nobody known", module: strings.Replace(smtp, "ca_file: CA", "", 1), target: mail(with("127.0.0.1"), false), differs: refused},
		{name: "starttls: smtp for another name", module: smtp, target: mail(with("shop.example"), false), differs: refused},
		{name: "starttls: smtp with server_name", module: strings.Replace(smtp, "ca_file: CA", "ca_file: CA, server_name: shop.example", 1), target: mail(with("shop.example"), false), differs: cipher},
		{name: "starttls: smtp with hostname", since: 24, hostname: "shop.example", module: smtp, target: mail(with("shop.example"), false), differs: cipher},
		{name: "starttls: smtp that has expired", module: smtp, target: mail(changed(func(c *x509.Certificate) { expired(c) }, "127.0.0.1"), false), differs: refused},
		{name: "starttls: smtp in TLS 1.2", module: smtp, target: mail(speaking(tls.VersionTLS12, tls.VersionTLS12), false), differs: cipher},
		{name: "starttls: nobody knows it", module: smtp, target: says("> 220 mail ESMTP x\n< EHLO prober\r\n> 250 HELP\nclose")},
		{name: "starttls: the peer says something else", module: steps(`starttls: true`), target: says("> 220 hello")},
	}
}

func unixComparisons() []comparison {
	module := func(settings string) string { return "prober: unix\nunix: {" + settings + "}" }
	gone := func(t *testing.T, _ *authority) string { return filepath.Join(t.TempDir(), "nobody") }
	cipher := []string{"tls-cipher>25"}
	return []comparison{
		{name: "unix: connect", since: 28, module: "prober: unix", target: atUnix("")},
		{name: "unix: no socket", since: 28, module: "prober: unix", target: gone},
		{name: "unix: ping", since: 28, module: module(`query_response: [{send: PING}, {expect: PONG}]`), target: atUnix("< PING\n> PONG")},
		{name: "unix: no match", since: 28, module: module(`query_response: [{expect: PONG}]`), target: atUnix("> PING\nclose")},
		{name: "unix: labels", since: 28, module: module(`query_response: [{expect: "P(.)NG", labels: [{name: letter, value: "$1"}]}]`), target: atUnix("> PONG")},
		{name: "unix: bytes", since: 28, module: module(`query_response: [{expect_bytes: PO}]`), target: atUnix("> PO")},
		{name: "unix: tls", since: 28, module: module(`tls: true, tls_config: {ca_file: CA, server_name: shop.example}`), target: atUnix("!\n> x"), differs: cipher},
		{name: "unix: starttls", since: 28, module: module(`tls_config: {ca_file: CA, server_name: shop.example}, query_response: [{expect: go}, {starttls: true}, {expect: PONG}]`), target: atUnix("> go\n!\n> PONG"), differs: cipher},
		{name: "unix: tls without a name", since: 28, module: module(`tls: true, tls_config: {ca_file: CA}`), target: atUnix("!")},
		{name: "unix: nothing is verified", since: 28, module: module(`tls: true, tls_config: {insecure_skip_verify: true}`), target: atUnix("!\n> x"), differs: cipher},
	}
}
