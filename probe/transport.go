package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"narthex/internal/aws"
)

// clientOptions are what a client is for.
type clientOptions struct {
	Config *HTTPClient
	// Target is where the first request goes: only there, and only over the same
	// protocol or a safer one, go the credentials.
	Target *url.URL
	// Addr stands for Target's host, if it is valid; a proxy is given it as well.
	Addr netip.Addr
	// ServerName is what a TLS certificate of Target is checked for, besides
	// Config.TLS.ServerName; "" is Target's host.
	ServerName string
	// Headers are the module's own. Those that may be credentials go to Target only;
	// Host is the request's.
	Headers http.Header
	// Protocols are those of HTTP; none are 1.1 and, if Config has it, 2.
	Protocols http.Protocols
	// Tunnel has proxies make a connection for requests in plain text as well.
	Tunnel bool
	// Sign signs requests to Target, if it is not nil.
	Sign *aws.Session
	// Service is what is signed for.
	Service string
}

// client is an [http.RoundTripper] that sends requests as a module says: it
// authenticates, goes through proxies, and makes all its connections through the
// guard. Redirects are the caller's. Its errors are *Failures.
type client struct {
	t      *trial
	o      clientOptions
	target endpoint
	proxy  proxyRules
	// dial connects to host:port. It ends with the probe, whatever becomes of the
	// request.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// aside returns the probe's context, for what a request needs besides: a token
	// and the like are not part of its own time.
	aside func() context.Context

	mu         sync.Mutex
	left       bool // a request has gone elsewhere: no more credentials
	fresh      bool // the token was fetched for this client
	transports map[endpoint]*http.Transport
}

// endpoint is where a connection leads.
type endpoint struct {
	tls  bool
	host string
	port string
}

func endpointOf(u *url.URL) endpoint {
	e := endpoint{tls: u.Scheme == "https" || u.Scheme == "wss", host: strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port: u.Port()}
	switch {
	case e.port != "":
	case e.tls:
		e.port = "443"
	default:
		e.port = "80"
	}
	return e
}

// covers reports whether what is meant for e may be sent to other: to the same host
// and port, or from port 80 to TLS at port 443.
func (e endpoint) covers(other endpoint) bool {
	upgraded := !e.tls && e.port == "80" && other.tls && other.port == "443"
	return e.host == other.host && (e.tls == other.tls && e.port == other.port || upgraded)
}

// httpClient returns a client for a target. What it connects to is closed when the
// probe ends.
func (t *trial) httpClient(ctx context.Context, o clientOptions) (*client, error) {
	rules, err := t.proxyRules(&o.Config.Proxy)
	if err != nil {
		return nil, err
	}
	if o.Protocols == (http.Protocols{}) {
		o.Protocols.SetHTTP1(true)
		o.Protocols.SetHTTP2(o.Config.EnableHTTP2)
	}
	if o.ServerName == "" {
		o.ServerName = o.Target.Hostname()
	}
	c := &client{t: t, o: o, target: endpointOf(o.Target), proxy: rules, transports: make(map[endpoint]*http.Transport, 1)}
	c.aside = func() context.Context { return ctx }
	c.dial = func(dialing context.Context, network, address string) (net.Conn, error) {
		// A transport goes on dialling when its request is given up.
		dialing, cancel := context.WithCancel(dialing)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		conn, err := c.connect(dialing, network, address)
		if err != nil {
			return nil, err
		}
		return t.net.keep(ctx, newPoliteConn(conn), nil)
	}
	// What is wrong with the certificates is said at once.
	_, err = c.transport(c.target, true, c.proxy.find(o.Target, o.Addr))
	return c, err
}

// connect connects to an address that a transport asks for.
func (c *client) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, failed(PhaseConnect, ReasonBadTarget, "%w", err)
	}
	number, err := port(service)
	if err != nil {
		return nil, failed(PhaseConnect, ReasonBadTarget, "%w", err)
	}
	if c.o.Addr.IsValid() && strings.EqualFold(host, c.o.Target.Hostname()) {
		return c.t.dial(ctx, network, netip.AddrPortFrom(c.o.Addr, number), netip.Addr{})
	}
	return c.t.net.dialHost(ctx, network, host, number)
}

// RoundTrip implements [http.RoundTripper].
func (c *client) RoundTrip(r *http.Request) (*http.Response, error) {
	stage := new(stage)
	to, proxy := endpointOf(r.URL), c.proxy.find(r.URL, c.o.Addr)
	home := c.home(to)
	transport, err := c.transport(to, home, proxy)
	if err != nil {
		return nil, err
	}
	send := func() (*http.Response, error) {
		out, err := c.prepare(stage.watch(r), home, proxy != nil)
		if err != nil {
			return nil, err
		}
		c.t.log.Debug("sending a request", "method", out.Method, "url", out.URL.Redacted(), "host", out.Host)
		resp, err := transport.RoundTrip(out)
		return resp, asRequestFailure(r.Context(), stage.phase(), err)
	}
	resp, err := send()
	if err == nil && home && c.staleToken(resp) && rewind(r) {
		resp.Body.Close()
		return send()
	}
	return resp, err
}

// prepare returns the request as it is sent.
func (c *client) prepare(r *http.Request, home, proxied bool) (*http.Request, error) {
	if proxied {
		if err := c.behindProxy(r); err != nil {
			return nil, err
		}
	}
	c.address(r, home)
	if !home {
		return r, nil
	}
	return r, c.authenticate(r)
}

// rewind gives a request its body again.
func rewind(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	if r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	r.Body = body
	return err == nil
}

// home reports whether a request may have the credentials. Once one has gone
// elsewhere, none has: who is there decides where the next one goes.
func (c *client) home(to endpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = c.left || !c.target.covers(to)
	return !c.left
}

// transport returns what connects to an endpoint, directly or through a proxy.
func (c *client) transport(to endpoint, home bool, proxy *url.URL) (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tr := c.transports[to]; tr != nil {
		return tr, nil
	}
	config, err := c.tls(to, home)
	if err != nil {
		return nil, err
	}
	p := c.o.Protocols
	if p.HTTP2() {
		config.NextProtos = []string{"h2"}
		if p.HTTP1() {
			config.NextProtos = []string{"h2", "http/1.1"}
		}
	}
	tr := &http.Transport{
		DialContext: c.dial, TLSClientConfig: config, Protocols: &p,
		DisableKeepAlives: true, DisableCompression: true,
		MaxResponseHeaderBytes: headerLimit, ExpectContinueTimeout: expectWait,
	}
	switch {
	case proxy == nil:
	case c.o.Tunnel && !to.tls && strings.HasPrefix(proxy.Scheme, "http"):
		tr.DialContext = c.tunnel(proxy)
	default:
		tr.Proxy = http.ProxyURL(proxy)
		tr.ProxyConnectHeader = c.connectHeader()
		tr.OnProxyConnectResponse = proxyAnswer
		if proxy.Scheme == "https" {
			tr.DialTLSContext = c.dialTLSProxy
		}
	}
	c.transports[to] = tr
	return tr, nil
}

// tls returns how an endpoint is verified: the target as the module says, another
// by its own name and without the client's certificate.
func (c *client) tls(to endpoint, home bool) (*tls.Config, error) {
	settings, name := c.o.Config.TLS, c.o.ServerName
	if to.host != c.target.host || to.port != c.target.port {
		settings.ServerName, name = "", to.host
	}
	if !home {
		settings.Cert, settings.CertFile = "", ""
	}
	return c.t.tlsConfig(&settings, name)
}

// packets opens a UDP socket for HTTP/3.
func (c *client) packets(ctx context.Context, address string) (net.PacketConn, net.Addr, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, failed(PhaseConnect, ReasonBadTarget, "%w", err)
	}
	number, err := port(service)
	if err != nil {
		return nil, nil, failed(PhaseConnect, ReasonBadTarget, "%w", err)
	}
	addr := c.o.Addr
	if !addr.IsValid() || !strings.EqualFold(host, c.o.Target.Hostname()) {
		addrs, err := c.t.net.lookup(ctx, "ip", host)
		if err != nil {
			return nil, nil, err
		}
		addr = addrs[0]
	}
	to := netip.AddrPortFrom(addr, number)
	conn, err := c.t.net.packets(ctx, to)
	return conn, net.UDPAddrFromAddrPort(to), err
}

// dialTLSProxy connects to a proxy that speaks TLS. It is verified by its own name,
// and gets no certificate of the client.
func (c *client) dialTLSProxy(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address)
	settings := c.o.Config.TLS
	settings.ServerName, settings.Cert, settings.CertFile = "", "", ""
	config, err := c.t.tlsConfig(&settings, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	out := tls.Client(conn, config)
	if err := out.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, asTLSFailure(ctx, err)
	}
	return out, nil
}

// close closes what is idle.
func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tr := range c.transports {
		tr.CloseIdleConnections()
	}
}
