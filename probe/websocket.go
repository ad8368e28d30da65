package probe

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"narthex/internal/message"
)

// webSocketProbe opens a WebSocket and has the conversation of the module.
type webSocketProbe struct {
	t *trial
	m *WebSocketModule
	// seconds is by phase; processing is the handshakes of TLS and HTTP.
	upgraded, status, regex, seconds *gauge
}

// probeWebSocket opens a WebSocket, and has the conversation of the module, if
// there is one: each expect is matched with the next message.
//
// Source: RFC 6455.
func probeWebSocket(ctx context.Context, t *trial) error {
	p := &webSocketProbe{
		t: t, m: &t.module.WebSocket,
		upgraded: t.gauge("probe_websocket_connection_upgraded", "Indicates if the websocket connection was successfully upgraded"),
		status:   t.gauge("probe_websocket_status_code", "Response HTTP status code"),
		regex:    t.gauge("probe_websocket_failed_due_to_regex", "Indicates if probe failed due to regex"),
		seconds:  t.gauge("probe_websocket_duration_seconds", "Duration of websocket request by phase", "phase"),
	}
	for _, g := range []*gauge{p.upgraded, p.status, p.regex} {
		g.Set(0)
	}
	u, err := url.Parse(t.target)
	if err != nil {
		return failed(PhasePolicy, ReasonBadTarget, "%w", err)
	}
	if u.Hostname() == "" {
		return failed(PhasePolicy, ReasonBadTarget, "the target of a websocket probe is ws://host/path or wss://host/path")
	}
	begun := time.Now()
	addr, err := t.resolve(ctx, u.Hostname(), p.m.IP)
	p.seconds.With("resolve").Add(time.Since(begun).Seconds())
	if err == nil {
		err = asHandshake(u)
	}
	if err != nil {
		return err
	}
	client, err := t.httpClient(ctx, clientOptions{Config: &p.m.Client, Target: u, Addr: addr, ServerName: t.hostname, Protocols: http1(), Tunnel: true})
	if err != nil {
		return err
	}
	defer client.close()
	body, err := p.upgrade(ctx, client, u)
	if err != nil {
		return err
	}
	defer body.Close()
	// The connection is out of the transport's hands now: nothing else ends it.
	defer context.AfterFunc(ctx, func() { body.Close() })()
	begun = time.Now()
	s := newWebSocket(body)
	err = p.converse(ctx, s)
	if len(p.m.Conversation) > 0 {
		p.seconds.With("transfer").Add(time.Since(begun).Seconds())
	}
	if err == nil {
		s.close() // A farewell that does not arrive changes nothing.
	}
	return err
}

func http1() (out http.Protocols) {
	out.SetHTTP1(true)
	return out
}

// asHandshake makes the URL of the opening handshake of a WebSocket's.
func asHandshake(u *url.URL) error {
	switch {
	case u.User != nil:
		return failed(PhasePolicy, ReasonBadTarget, "a WebSocket's URL has no user: use http_config.basic_auth")
	case u.Scheme == "ws":
		u.Scheme = "http"
	case u.Scheme == "wss":
		u.Scheme = "https"
	default:
		return failed(PhasePolicy, ReasonBadTarget, "the target of a websocket probe begins with ws:// or wss://, and not with %s://", u.Scheme)
	}
	u.Fragment, u.RawFragment = "", ""
	return nil
}

// upgrade makes the opening handshake (RFC 6455, section 4.1).
func (p *webSocketProbe) upgrade(ctx context.Context, client http.RoundTripper, u *url.URL) (io.ReadWriteCloser, error) {
	begun := time.Now()
	connected := time.Duration(0)
	ctx = traced(ctx, &httptrace.ClientTrace{ConnectDone: func(_, _ string, err error) {
		if err == nil {
			connected = time.Since(begun)
		}
	}})
	key := webSocketKey()
	r, err := p.request(ctx, u, key)
	if err != nil {
		return nil, err
	}
	response, err := client.RoundTrip(r)
	if connected > 0 {
		p.seconds.With("connect").Add(connected.Seconds())
	}
	p.seconds.With("processing").Add((time.Since(begun) - connected).Seconds())
	if s := p.t.lastShaken(); s != nil {
		p.t.tlsMetrics(s)
	}
	if err != nil {
		return nil, err
	}
	p.status.Set(float64(response.StatusCode))
	body, err := switched(response, key)
	if err != nil {
		response.Body.Close()
		return nil, err
	}
	p.upgraded.Set(1)
	return body, nil
}

func (p *webSocketProbe) request(ctx context.Context, u *url.URL, key string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, failed(PhasePolicy, ReasonBadTarget, "%w", err)
	}
	for name, h := range p.m.Headers {
		values, err := p.t.headerValues(h)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", userAgent)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", key)
	return r, nil
}

func webSocketKey() string {
	var nonce [16]byte
	rand.Read(nonce[:])
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// switched returns the connection of an answer that accepts the handshake (RFC
// 6455, section 4.1).
func switched(r *http.Response, key string) (io.ReadWriteCloser, error) {
	if r.StatusCode != http.StatusSwitchingProtocols {
		return nil, failed(PhaseResponse, ReasonStatus, "the server answers %s, and not 101 Switching Protocols", r.Status)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return nil, failed(PhaseResponse, ReasonProtocol, "the server upgrades to %s, and not to websocket", message.Quote(r.Header.Get("Upgrade")))
	case !hasToken(r.Header.Values("Connection"), "upgrade"):
		return nil, failed(PhaseResponse, ReasonProtocol, "the header Connection of the answer does not say Upgrade")
	case r.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return nil, failed(PhaseResponse, ReasonProtocol, "the header Sec-WebSocket-Accept of the answer is not the one that belongs to our key")
	case r.Header.Get("Sec-WebSocket-Extensions") != "", r.Header.Get("Sec-WebSocket-Protocol") != "" && r.Request.Header.Get("Sec-WebSocket-Protocol") == "":
		return nil, failed(PhaseResponse, ReasonProtocol, "the server uses an extension or a subprotocol that was not asked for")
	}
	body, ok := r.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, failed(PhaseInternal, ReasonOther, "the connection of the answer can't be written to")
	}
	return body, nil
}

// hasToken reports whether one of the comma-separated lists has a token.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		for t := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// converse takes the module's steps.
func (p *webSocketProbe) converse(ctx context.Context, s *webSocket) error {
	info := newExpectInfo(p.t, p.m.Conversation)
	for i, step := range p.m.Conversation {
		p.t.log.Debug("Processing query response entry", "entry_number", i)
		p.t.hide(strings.TrimSpace(string(step.Send)))
		send := []byte(step.Send)
		if step.Expect != nil {
			text, err := s.read()
			if err != nil {
				return webSocketFailure(ctx, PhaseResponse, err)
			}
			p.t.log.Debug("Read message", "message", message.Clip(strings.ToValidUTF8(string(text), "\uFFFD"), labelLimit))
			match := step.Expect.FindSubmatchIndex(text)
			if match == nil {
				p.regex.Set(1)
				return failed(PhaseAssert, ReasonMismatch, "the message %s does not match %s", message.Quote(string(text)), step.Expect)
			}
			info.set(step, text, match)
			send = step.Expect.Expand(nil, send, text, match)
		}
		if len(send) == 0 {
			continue
		}
		if err := s.write(opText, send); err != nil {
			return webSocketFailure(ctx, PhaseRequest, err)
		}
	}
	return nil
}
