package probe

import (
	"bufio"
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"time"
)

// tunnel returns what connects to an address through a proxy by CONNECT, also where
// a request in plain text would be given to the proxy: a WebSocket wants a connection
// of its own (RFC 6455, section 4.1).
func (c *client) tunnel(proxy *url.URL) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dial, at := c.dial, endpointOf(proxy)
		if at.tls {
			dial = c.dialTLSProxy
		}
		conn, err := dial(ctx, network, net.JoinHostPort(at.host, at.port))
		if err != nil {
			return nil, err
		}
		release := endWith(ctx, conn)
		err = c.connectThrough(ctx, conn, proxy, address)
		release()
		if err != nil {
			conn.Close()
			return nil, err
		}
		return conn, conn.SetDeadline(time.Time{})
	}
}

// connectThrough asks the proxy at the other end of a connection for address.
func (c *client) connectThrough(ctx context.Context, conn net.Conn, proxy *url.URL, address string) error {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: c.connectHeader()}
	if user := proxy.User; user != nil && r.Header.Get("Proxy-Authorization") == "" {
		password, _ := user.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return failed(PhaseConnect, reasonOf(ctx, err), "ask the proxy %s: %w", proxy.Host, err)
	}
	// Nobody speaks before we do in the tunnel, so that nothing is lost in the buffer.
	answer, err := http.ReadResponse(bufio.NewReader(conn), r) // the body is the tunnel
	if err != nil {
		return failed(PhaseConnect, reasonOf(ctx, err), "the answer of the proxy %s: %w", proxy.Host, err)
	}
	return proxyAnswer(ctx, proxy, r, answer)
}
