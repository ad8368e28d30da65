package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// servingStatus are the names of grpc.health.v1.HealthCheckResponse.ServingStatus.
var servingStatus = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

const serving = 1

// grpcProbe asks a server how it is.
type grpcProbe struct {
	t          *trial
	m          *GRPCModule
	host, port string
	// ssl, code and response are probe_grpc_ssl and so on.
	ssl, code, response *gauge
}

// probeGRPC asks a server's health service. The address that is dialled is the
// one that was resolved; the exporter resolves once more and may reach another.
//
// Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md) and the health checking protocol.
func probeGRPC(ctx context.Context, t *trial) error {
	p := &grpcProbe{
		t: t, m: &t.module.GRPC,
		ssl:      t.gauge("probe_grpc_ssl", "Indicates if SSL was used for the connection"),
		code:     t.gauge("probe_grpc_status_code", "Response gRPC status code"),
		response: t.gauge("probe_grpc_healthcheck_response", "Response HealthCheck response", "serving_status"),
	}
	seconds := t.gauge("probe_grpc_duration_seconds", "Duration of gRPC request by phase", "phase")
	seconds.With("resolve")
	p.ssl.Set(0)
	p.code.Set(0)
	p.host, p.port = grpcTarget(t.target, p.m.UseTLS)
	begun := time.Now()
	to, _, err := t.endpoint(ctx, p.host, p.port, p.m.IP, "")
	seconds.With("resolve").Add(time.Since(begun).Seconds())
	if err != nil {
		return err
	}
	for _, name := range servingStatus {
		p.response.With(name)
	}
	begun = time.Now()
	defer func() { seconds.With("check").Add(time.Since(begun).Seconds()) }()
	conn, err := t.dial(ctx, "tcp", to, netip.Addr{})
	if err == nil {
		defer conn.Close()
		if p.m.UseTLS {
			conn, err = p.startTLS(ctx, conn)
		}
	}
	if err != nil {
		p.code.Set(float64(codeOfFailure(ctx, err)))
		return err
	}
	return p.check(ctx, conn)
}

// grpcTarget splits a target: host:port, host, or a URL, of which only these
// matter.
func grpcTarget(target string, secure bool) (host, port string) {
	_, target, _ = cutScheme(target)
	target, _, _ = strings.Cut(target, "/")
	if i := strings.LastIndexByte(target, '@'); i >= 0 {
		target = target[i+1:]
	}
	return hostPort(target, map[bool]string{false: "80", true: "443"}[secure])
}

func cutScheme(target string) (scheme, rest string, found bool) {
	for _, scheme := range []string{"http", "https"} {
		if rest, ok := strings.CutPrefix(target, scheme+"://"); ok {
			return scheme, rest, true
		}
	}
	return "", target, false
}

// codeOfFailure is what gRPC's own client says when there is no connection.
func codeOfFailure(ctx context.Context, err error) grpcCode {
	if asFailure(ctx, err).Reason == ReasonTimeout {
		return codeDeadlineExceeded
	}
	return codeUnavailable
}

// startTLS goes on in TLS, which has to agree on HTTP/2.
func (p *grpcProbe) startTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	secure, err := p.t.handshake(ctx, conn, &p.m.TLS, p.serverName(), "h2")
	if err != nil {
		return conn, err
	}
	p.ssl.Set(1)
	if got := secure.ConnectionState().NegotiatedProtocol; got != "h2" {
		return secure, failed(PhaseTLS, ReasonProtocol, "the server does not agree on HTTP/2 in the handshake (ALPN), which gRPC needs")
	}
	return secure, nil
}

func (p *grpcProbe) serverName() string {
	return orElse(p.m.TLS.ServerName, orElse(p.t.hostname, p.host))
}

// check makes the call and judges its answer.
func (p *grpcProbe) check(ctx context.Context, conn net.Conn) error {
	client := overConn(conn)
	client.Protocols = new(http.Protocols)
	scheme, authority := "http", net.JoinHostPort(p.host, p.port)
	if _, secure := conn.(*tls.Conn); secure {
		client.Protocols.SetHTTP2(true)
		scheme, authority = "https", p.serverName()
	} else {
		client.Protocols.SetUnencryptedHTTP2(true)
	}
	defer client.CloseIdleConnections()
	for _, values := range p.m.Metadata {
		for _, v := range values {
			p.t.hide(string(v))
		}
	}
	call := healthCall{scheme: scheme, authority: authority, service: p.m.Service, metadata: p.m.Metadata}
	status, err := call.check(ctx, client)
	var refusal *grpcError
	if errors.As(err, &refusal) {
		p.code.Set(float64(refusal.code))
		return failed(PhaseResponse, refusal.reason(), "the server answers %w", err)
	}
	if err != nil {
		return err
	}
	name := strconv.Itoa(int(status))
	if status >= 0 && int(status) < len(servingStatus) {
		name = servingStatus[status]
	}
	p.response.With(name).Set(1)
	p.t.log.Debug("The server answered", "serving_status", name)
	if status != serving {
		return failed(PhaseAssert, ReasonNotServing, "the server says that the service %q is %s", p.m.Service, name)
	}
	return nil
}
