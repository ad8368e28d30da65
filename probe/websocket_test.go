package probe_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"narthex/probe"
)

// webSocketServer is a server of gorilla's implementation.
func webSocketServer(t *testing.T, secure bool, serve func(*websocket.Conn, *http.Request)) (url, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		serve(c, r)
	}))
	if secure {
		s.StartTLS()
		ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http"), ca
}

// echo greets and sends back what it gets, until it gets a close frame.
func echo(c *websocket.Conn, r *http.Request) {
	c.WriteMessage(websocket.TextMessage, []byte("hello "+r.Header.Get("Authorization")))
	for {
		kind, text, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, text) != nil {
			return
		}
	}
}

func TestWebSocketConversation(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	for name, c := range map[string]struct {
		steps   []probe.Step
		want    string
		metrics []string
	}{
		"open only": {want: "ok"},
		"expect":    {steps: []probe.Step{expect("^hello")}, want: "ok"},
		"what matched is sent back": {
			steps: []probe.Step{{Expect: regexp.MustCompile("^(hel)lo"), Send: "${1}met"}, expect("^helmet$")}, want: "ok",
		},
		"labels":        {steps: []probe.Step{{Expect: regexp.MustCompile("^(hello)"), Labels: []probe.StepLabel{{"said", "$1"}}}}, want: "ok", metrics: []string{`probe_expect_info{said="hello"} 1`}},
		"short frames":  {steps: []probe.Step{expect("hello"), {Send: probe.Secret(strings.Repeat("y", 125))}, expect("^y{125}$")}, want: "ok"},
		"16-bit frames": {steps: []probe.Step{expect("hello"), {Send: probe.Secret(long[:126])}, expect("^x{126}$"), {Send: probe.Secret(long[:65535])}, expect("^x+$")}, want: "ok"},
		"64-bit frames": {steps: []probe.Step{expect("hello"), {Send: probe.Secret(long)}, expect("^x+$")}, want: "ok"},
		"the first message does not match": {
			steps: []probe.Step{expect("^bye")}, want: "assert/mismatch", metrics: []string{"probe_websocket_failed_due_to_regex 1"},
		},
	} {
		for _, scheme := range []string{"ws", "wss"} {
			t.Run(name+" over "+scheme, func(t *testing.T) {
				gone := make(chan error, 1)
				url, ca := webSocketServer(t, scheme == "wss", func(ws *websocket.Conn, r *http.Request) {
					ws.WriteMessage(websocket.TextMessage, []byte("hello"))
					for {
						kind, text, err := ws.ReadMessage()
						if err != nil {
							gone <- err
							return
						}
						ws.WriteMessage(kind, text)
					}
				})
				r := runModule(t, moduleOf("websocket", func(m *probe.Module) {
					m.WebSocket.Conversation, m.WebSocket.Client.TLS.CA = c.steps, ca
				}), url)
				wantVerdict(t, r, c.want)
				wantMetrics(t, r, append(c.metrics, "probe_websocket_connection_upgraded 1", "probe_websocket_status_code 101")...)
				if err := <-gone; c.want == "ok" && !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
					t.Errorf("the server sees the end as %v", err)
				}
				for _, phase := range []string{"resolve", "connect", "processing"} {
					if exposed(t, r, `probe_websocket_duration_seconds{phase="`+phase+`"}`) == "" {
						t.Errorf("the time of %s is not told", phase)
					}
				}
			})
		}
	}
}

func TestWebSocketHandshake(t *testing.T) {
	url, ca := webSocketServer(t, true, echo)
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer refuse.Close()
	plain := "ws" + strings.TrimPrefix(refuse.URL, "http")
	for name, c := range map[string]struct {
		target string
		ca     string
		want   string
		status int
	}{
		"forbidden":     {plain, "", "response/status", 403},
		"redirected":    {plain + "/moved", "", "response/status", 302},
		"not trusted":   {url, "", "tls/cert_untrusted", 0},
		"no scheme":     {strings.TrimPrefix(plain, "ws://"), "", "policy/bad_target", 0},
		"http":          {refuse.URL, "", "policy/bad_target", 0},
		"a user":        {"ws://user:secret@127.0.0.1/", "", "policy/bad_target", 0},
		"TLS, not here": {"wss" + strings.TrimPrefix(plain, "ws"), "", "tls/not_tls", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := runModule(t, moduleOf("websocket", func(m *probe.Module) { m.WebSocket.Client.TLS.CA = c.ca }), c.target)
			wantVerdict(t, r, c.want)
			wantMetrics(t, r, fmt.Sprintf("probe_websocket_status_code %d", c.status), "probe_websocket_connection_upgraded 0")
			if strings.Contains(string(r.Log)+r.Failure.Error(), "secret") {
				t.Errorf("the log shows the password: %s %s", r.Log, r.Failure)
			}
		})
	}
	r := runModule(t, moduleOf("websocket", func(m *probe.Module) { m.WebSocket.Client.TLS.CA = ca }), url)
	wantVerdict(t, r, "ok")
	if exposed(t, r, "probe_ssl_earliest_cert_expiry ") == "" {
		t.Error("there is no expiry of the certificate")
	}
}

// TestWebSocketAnswers has servers whose answer to the handshake is wrong.
func TestWebSocketAnswers(t *testing.T) {
	for name, c := range map[string]struct{ remove, add, want string }{
		"right":               {"", "", "ok"},
		"another protocol":    {"Upgrade: websocket", "Upgrade: h2c", "response/protocol"},
		"no upgrade":          {"Connection: Upgrade", "Connection: keep-alive", "response/protocol"},
		"another key":         {"Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", "response/protocol"},
		"no key":              {"Sec-WebSocket-Accept", "X-Key", "response/protocol"},
		"an extension":        {"", "Sec-WebSocket-Extensions: permessage-deflate", "response/protocol"},
		"a subprotocol":       {"", "Sec-WebSocket-Protocol: mqtt", "response/protocol"},
		"no HTTP":             {"HTTP/1.1", "SSH-2.0", "response/protocol"},
		"lists in lower case": {"Connection: Upgrade", "Connection: keep-alive, upgrade", "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			address := peer(t, func(c1 net.Conn) {
				r, err := http.ReadRequest(bufio.NewReader(c1))
				if err != nil {
					return
				}
				sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
				if c.remove != "" {
					head = strings.Replace(head, c.remove, c.add, 1)
				} else if c.add != "" {
					head += c.add + "\r\n"
				}
				c1.Write([]byte(head + "\r\n"))
				readUntil(c1, 0)
			})
			wantVerdict(t, runModule(t, moduleOf("websocket", nil), "ws://"+address), c.want)
		})
	}
}

// TestWebSocketFrames has servers that send these bytes after the handshake.
func TestWebSocketFrames(t *testing.T) {
	for name, c := range map[string]struct{ frames, want string }{
		"text":                      {"\x81\x02hi", "ok"},
		"binary":                    {"\x82\x02hi", "ok"},
		"fragments":                 {"\x01\x01h\x80\x01i", "ok"},
		"a ping between fragments":  {"\x01\x01h\x89\x04ping\x80\x01i", "ok"},
		"empty fragments":           {"\x01\x00\x00\x01h\x00\x01i\x80\x00", "ok"},
		"a pong nobody asked for":   {"\x8a\x00\x81\x02hi", "ok"},
		"nothing":                   {"", "response/closed"},
		"close":                     {"\x88\x02\x03\xe8", "response/closed"},
		"close without a code":      {"\x88\x00", "response/closed"},
		"half a frame":              {"\x81\x05hi", "response/closed"},
		"half a code":               {"\x88\x01\x03", "response/protocol"},
		"masked":                    {"\x81\x82\x00\x00\x00\x00hi", "response/protocol"},
		"an extension":              {"\xc1\x02hi", "response/protocol"},
		"an unknown kind":           {"\x83\x02hi", "response/protocol"},
		"an unknown control":        {"\x8b\x00", "response/protocol"},
		"a continuation of nothing": {"\x80\x02hi", "response/protocol"},
		"a message in a message":    {"\x01\x01h\x81\x01i", "response/protocol"},
		"a fragmented ping":         {"\x09\x00", "response/protocol"},
		"a long ping":               {"\x89\x7e\x00\x7e" + strings.Repeat("x", 126), "response/protocol"},
		"text that is not UTF-8":    {"\x81\x01\xff", "response/protocol"},
		"a length with a detour":    {"\x81\x7e\x00\x02hi", "response/protocol"},
		"a huge frame":              {"\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", "response/too_large"},
		"a length of 64 bits":       {"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "response/protocol"},
		"endless fragments":         {"\x01\x01h" + strings.Repeat("\x00\x00", 2000), "response/protocol"},
		"endless pings":             {strings.Repeat("\x89\x00", 2000), "response/protocol"},
		"huge fragments":            {"\x01\x01h" + strings.Repeat("\x00\x7f\x00\x00\x00\x00\x00\x08\x00\x00"+strings.Repeat("x", 1<<19), 3), "response/too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
				if err != nil {
					return
				}
				defer ws.Close()
				c1 := ws.NetConn()
				c1.Write([]byte(c.frames))
				c1.(*net.TCPConn).CloseWrite()
				readUntil(c1, 0)
			}))
			defer s.Close()
			m := moduleOf("websocket", func(m *probe.Module) { m.WebSocket.Conversation = []probe.Step{expect("^hi$")} })
			wantVerdict(t, runModule(t, m, "ws"+strings.TrimPrefix(s.URL, "http")), c.want)
		})
	}
}

func TestWebSocketPong(t *testing.T) {
	url, _ := webSocketServer(t, false, func(c *websocket.Conn, _ *http.Request) {
		c.SetPongHandler(func(text string) error { return c.WriteMessage(websocket.TextMessage, []byte("pong "+text)) })
		c.WriteControl(websocket.PingMessage, []byte("4711"), time.Now().Add(time.Second))
		c.ReadMessage()
	})
	m := moduleOf("websocket", func(m *probe.Module) { m.WebSocket.Conversation = []probe.Step{expect("^pong 4711$")} })
	wantVerdict(t, runModule(t, m, url), "ok")
}

func TestWebSocketHeaders(t *testing.T) {
	got := make(chan *http.Request, 1)
	url, _ := webSocketServer(t, false, func(_ *websocket.Conn, r *http.Request) { got <- r })
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  func(*probe.WebSocketModule)
		want map[string][]string
	}{
		"basic": {func(m *probe.WebSocketModule) {
			m.Client.BasicAuth = &probe.BasicAuth{Username: "user", Password: probe.SecretSource{Value: "secret"}}
		}, map[string][]string{"Authorization": {"Basic dXNlcjpzZWNyZXQ="}}},
		"bearer": {func(m *probe.WebSocketModule) { m.Client.Credentials.File = file }, map[string][]string{"Authorization": {"Bearer from-a-file"}}},
		"headers": {func(m *probe.WebSocketModule) {
			m.Headers = map[string]probe.HeaderValues{"X-One": {Values: []string{"1", "2"}, Secrets: []probe.Secret{"s"}, Files: []string{file}}}
		}, map[string][]string{"X-One": {"1", "2", "s", "from-a-file"}}},
		"http_headers": {func(m *probe.WebSocketModule) {
			m.Client.HTTPHeaders = map[string]probe.HeaderValues{"X-Two": {Values: []string{"2"}}}
		}, map[string][]string{"X-Two": {"2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runModule(t, moduleOf("websocket", func(m *probe.Module) { c.set(&m.WebSocket) }), url+"/path?a=+b%2Bc")
			wantVerdict(t, r, "ok")
			request := <-got
			for header, want := range c.want {
				if strings.Join(request.Header[header], "|") != strings.Join(want, "|") {
					t.Errorf("%s is %q, want %q", header, request.Header[header], want)
				}
			}
			if request.RequestURI != "/path?a=+b%2Bc" {
				t.Errorf("the request is for %s", request.RequestURI)
			}
			if strings.Contains(string(r.Log), "from-a-file") || strings.Contains(string(r.Log), "dXNlcj") {
				t.Errorf("the log shows a secret: %s", r.Log)
			}
		})
	}
}

// TestWebSocketProxy goes through a proxy, for both schemes by CONNECT (RFC 6455,
// section 4.1).
func TestWebSocketProxy(t *testing.T) {
	var used atomic.Int32
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		used.Add(1)
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic dTpw" {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		tunnel(w, r.Host)
	})
	for _, secure := range []bool{false, true} {
		used.Store(0)
		url, ca := webSocketServer(t, secure, echo)
		m := moduleOf("websocket", func(m *probe.Module) {
			m.WebSocket.Client.Proxy.URL, m.WebSocket.Client.TLS.CA = strings.Replace(proxy, "://", "://u:p@", 1), ca
			m.WebSocket.Conversation = []probe.Step{expect("^hello"), {Send: "x"}, expect("^x$")}
		})
		wantVerdict(t, runModule(t, m, url), "ok")
		m.WebSocket.Client.Proxy.URL = proxy
		wantVerdict(t, runModule(t, m, url), "connect/proxy")
		if used.Load() != 2 {
			t.Errorf("the proxy was used %d times", used.Load())
		}
	}
}

// webSocketsWithoutEnd are servers that accept the handshake and then never send
// what is waited for.
var webSocketsWithoutEnd = map[string]func(*testing.T) string{
	"silent": func(t *testing.T) string {
		url, _ := webSocketServer(t, false, func(c *websocket.Conn, _ *http.Request) { c.ReadMessage() })
		return url
	},
	"pinging": func(t *testing.T) string {
		url, _ := webSocketServer(t, false, func(c *websocket.Conn, _ *http.Request) {
			go c.ReadMessage()
			for c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) == nil {
				time.Sleep(5 * time.Millisecond) // not so many that it counts as abuse
			}
		})
		return url
	},
	"half a frame": func(t *testing.T) string {
		url, _ := webSocketServer(t, false, func(c *websocket.Conn, _ *http.Request) {
			c.NetConn().Write([]byte{0x81, 0x05, 'h'})
			c.ReadMessage()
		})
		return url
	},
}
