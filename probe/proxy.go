package probe

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// proxyRules say which proxy a request goes through.
type proxyRules struct {
	http, https *url.URL
	except      []string // no_proxy, in lower case
	// excepting says that this machine is never reached through a proxy, as it is
	// where there are exceptions or the environment decides.
	excepting bool
}

// proxyRules reads a proxy's configuration. Errors are *Failures.
func (t *trial) proxyRules(p *Proxy) (proxyRules, error) {
	var out proxyRules
	httpURL, httpsURL, except := p.URL, p.URL, p.NoProxy
	if p.FromEnvironment {
		env := t.prober.o.Getenv
		httpURL, httpsURL, except = firstOf(env, "HTTP_PROXY"), firstOf(env, "HTTPS_PROXY"), firstOf(env, "NO_PROXY")
	}
	var err error
	if out.http, err = proxyURL(httpURL); err == nil {
		out.https, err = proxyURL(httpsURL)
	}
	for _, u := range []*url.URL{out.http, out.https} {
		if u != nil {
			password, _ := u.User.Password()
			t.hide(password)
		}
	}
	out.excepting = p.FromEnvironment || except != ""
	for _, e := range strings.Split(strings.ToLower(except), ",") {
		if e = strings.TrimSpace(e); e != "" {
			out.except = append(out.except, e)
		}
	}
	return out, err
}

func firstOf(env func(string) string, name string) string {
	if v := env(name); v != "" {
		return v
	}
	return env(strings.ToLower(name))
}

func proxyURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		if u, err = url.Parse("http://" + text); err != nil {
			return nil, failed(PhaseRequest, ReasonProxy, "the address of the proxy can't be read")
		}
	}
	if u.Hostname() == "" {
		return nil, failed(PhaseRequest, ReasonProxy, "the address of the proxy has no host")
	}
	return u, nil
}

// find returns the proxy for a request to u, nil for none. addr is what u's host
// was resolved to, if it is valid: an exception may name either.
func (p proxyRules) find(u *url.URL, addr netip.Addr) *url.URL {
	proxy := p.http
	if u.Scheme == "https" {
		proxy = p.https
	}
	if proxy == nil || !p.excepting {
		return proxy
	}
	to := endpointOf(u)
	if literal, err := netip.ParseAddr(to.host); err == nil {
		addr = literal.Unmap()
	}
	if to.host == "localhost" || addr.IsLoopback() {
		return nil
	}
	for _, e := range p.except {
		if excepts(e, to, addr) {
			return nil
		}
	}
	return proxy
}

// excepts reports whether an entry of no_proxy is about a request's host.
//
// Source: golang.org/x/net/http/httpproxy, Config.NoProxy.
func excepts(entry string, to endpoint, addr netip.Addr) bool {
	if entry == "*" {
		return true
	}
	if network, err := netip.ParsePrefix(entry); err == nil {
		return network.Contains(addr)
	}
	if host, port, err := net.SplitHostPort(entry); err == nil {
		if port != to.port {
			return false
		}
		entry = host
	}
	if literal, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return literal.Unmap() == addr
	}
	entry = strings.TrimPrefix(entry, "*")
	if strings.HasPrefix(entry, ".") {
		return strings.HasSuffix(to.host, entry)
	}
	return to.host == entry || strings.HasSuffix(to.host, "."+entry)
}

// connectHeader returns the headers of a CONNECT request.
func (c *client) connectHeader() http.Header {
	out := make(http.Header)
	for name, values := range c.o.Config.Proxy.ConnectHeader {
		for _, v := range values {
			c.t.hide(string(v))
			out.Add(name, string(v))
		}
	}
	return out
}

// lookupBehindProxy bounds the lookup of a name that a proxy will look up again.
const lookupBehindProxy = time.Second

// behindProxy asks the guard about what a proxy is to reach, as far as that can be
// told here, and gives the request the address that was resolved, so that the proxy
// goes where the guard has looked.
func (c *client) behindProxy(r *http.Request) error {
	to := endpointOf(r.URL)
	number, err := port(to.port)
	if err != nil {
		return failed(PhaseRequest, ReasonBadTarget, "%w", err)
	}
	if c.o.Addr.IsValid() && to.host == c.target.host {
		if r.Host == "" {
			r.Host = r.URL.Host
		}
		r.URL.Host = hostWith(c.o.Addr, r.URL.Port())
		return c.t.net.permit(netip.AddrPortFrom(c.o.Addr, number))
	}
	if !ascii(to.host) {
		// Some of its letters may be digits to the proxy, as full-width ones are.
		return failed(PhaseRequest, ReasonBadTarget, "the host %q can't be checked before the proxy is asked: write it in ASCII, beginning with xn--", to.host)
	}
	for _, addr := range c.t.net.behind(c.aside(), to.host) {
		if err := c.t.net.permit(netip.AddrPortFrom(addr, number)); err != nil {
			return err
		}
	}
	return nil
}

// proxyAnswer makes a failure of what a proxy says to CONNECT, if it is not 200.
func proxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return failed(PhaseConnect, ReasonProxy, "the proxy %s answers %s", proxy.Host, resp.Status)
}

// behind returns what a host behind a proxy may be: a literal address in any
// spelling that a resolver understands, or what the name stands for here.
func (n *network) behind(ctx context.Context, host string) []netip.Addr {
	if addr, ok := numeric(host); ok {
		return []netip.Addr{addr}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupBehindProxy)
	defer cancel()
	addrs, err := n.lookup(ctx, "ip", host)
	if err != nil {
		return nil // it is for the proxy to find
	}
	return addrs
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// hostWith returns an address as the host of a URL.
func hostWith(addr netip.Addr, port string) string {
	host := addr.String()
	if addr.Is6() {
		host = "[" + strings.ReplaceAll(host, "%", "%25") + "]"
	}
	if port == "" {
		return host
	}
	return host + ":" + port
}
