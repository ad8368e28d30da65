package probe_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcAt is gRPC's own server with a health service.
func grpcAt(service healthpb.HealthServer) func(*testing.T, *authority) string {
	return func(t *testing.T, _ *authority) string { return healthServer(t, service) }
}

// grpcTLS is the same over TLS.
func grpcTLS(names ...string) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string {
		return healthServer(t, health.NewServer(), grpc.Creds(credentials.NewTLS(with(names...)(t, ca))))
	}
}

func grpcComparisons() []comparison {
	of := func(settings string) string { return "prober: grpc\ngrpc: {" + settings + "}" }
	states := health.NewServer()
	states.SetServingStatus("up", healthpb.HealthCheckResponse_SERVING)
	states.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	states.SetServingStatus("odd", healthpb.HealthCheckResponse_UNKNOWN)
	needsToken := answering{check: func(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
		if md, _ := metadata.FromIncomingContext(ctx); len(md["token"]) != 2 || md["token"][1] != "y" {
			return nil, status.Error(codes.Unauthenticated, "no token")
		}
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	}}
	httpStatus := func(code int) func(*testing.T, *authority) string {
		return func(t *testing.T, _ *authority) string {
			return h2Server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		}
	}
	// Exporters before 0.25 have the expiry even where there is no certificate.
	plain := []string{"grpc-expiry<25"}
	refused := []string{"tls-facts-when-refused"}
	facts := []string{"grpc-tls-facts"}
	out := []comparison{
		{name: "grpc: no section", module: "prober: grpc", target: grpcAt(states), differs: append(plain, "grpc-defaults")},
		{name: "grpc: up", module: of(""), target: grpcAt(states), differs: plain},
		{name: "grpc: a URL", module: of(""), target: func(t *testing.T, _ *authority) string { return "http://" + healthServer(t, states) + "/x" }, differs: plain},
		{name: "grpc: a service that is up", module: of("service: up"), target: grpcAt(states), differs: plain},
		{name: "grpc: a service that is down", module: of("service: down"), target: grpcAt(states), differs: plain},
		{name: "grpc: a service of an unknown state", module: of("service: odd"), target: grpcAt(states), differs: plain},
		{name: "grpc: a service nobody knows", module: of("service: none"), target: grpcAt(states), differs: plain},
		{name: "grpc: SERVICE_UNKNOWN", module: of(""), target: grpcAt(answer(healthpb.HealthCheckResponse_SERVICE_UNKNOWN, nil)), differs: plain},
		{name: "grpc: a state without a name", module: of(""), target: grpcAt(answer(77, nil)), differs: plain},
		{name: "grpc: no health service", module: of(""), target: grpcAt(nil), differs: plain},
		{name: "grpc: metadata", since: 28, module: of("metadata: {token: [x, y]}"), target: grpcAt(needsToken), differs: plain},
		{name: "grpc: no metadata", module: of(""), target: grpcAt(needsToken), differs: plain},
		{name: "grpc: nobody listens", module: of(""), target: func(t *testing.T, _ *authority) string { return nobody(t) }, differs: plain},
		{name: "grpc: a server of HTTP/1.1", module: of(""), target: func(t *testing.T, _ *authority) string { return serve(t, text("hello")) }, differs: plain},
		{name: "grpc: TLS of a server without it", module: of("tls: true"), target: grpcAt(states), differs: plain},
		{name: "grpc: ip6 of an address of ip4", module: of("preferred_ip_protocol: ip6, ip_protocol_fallback: false"), target: grpcAt(states), differs: plain},
		{name: "grpc: HTTP status 200", module: of(""), target: httpStatus(200), differs: plain},
		{name: "grpc: HTTP status 401", module: of(""), target: httpStatus(401), differs: plain},
		{name: "grpc: HTTP status 404", module: of(""), target: httpStatus(404), differs: plain},
		{name: "grpc: HTTP status 503", module: of(""), target: httpStatus(503), differs: plain},
		{name: "grpc: over TLS", module: of("tls: true, tls_config: {ca_file: CA}"), target: grpcTLS("127.0.0.1"), differs: facts},
		{name: "grpc: over TLS, not verified", module: of("tls: true, tls_config: {insecure_skip_verify: true}"), target: grpcTLS("shop.example"), differs: facts},
		{name: "grpc: over TLS with server_name", module: of("tls: true, tls_config: {ca_file: CA, server_name: shop.example}"), target: grpcTLS("shop.example"), differs: facts},
		{name: "grpc: over TLS for another name", module: of("tls: true, tls_config: {ca_file: CA}"), target: grpcTLS("shop.example"), differs: refused},
		{name: "grpc: over TLS of nobody known", module: of("tls: true"), target: grpcTLS("127.0.0.1"), differs: refused},
		{name: "grpc: over TLS, and the call fails", module: of("tls: true, service: none, tls_config: {ca_file: CA}"), target: grpcTLS("127.0.0.1"), differs: []string{"grpc-tls-facts", "grpc-ssl"}},
		{name: "grpc: a client without TLS", module: of(""), target: grpcTLS("127.0.0.1"), differs: plain},
	}
	for code := codes.Code(1); code <= codes.Unauthenticated; code++ {
		out = append(out, comparison{name: "grpc: code " + code.String(), module: of(""), target: grpcAt(answer(0, status.Error(code, "so it is"))), differs: plain})
	}
	return out
}

// ws is a server of WebSockets.
func ws(secure bool, speak func(*websocket.Conn, *http.Request)) func(*testing.T, *authority) string {
	return func(t *testing.T, ca *authority) string {
		upgrade := func(w http.ResponseWriter, r *http.Request) {
			c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err == nil {
				defer c.Close()
				speak(c, r)
			}
		}
		if secure {
			return "wss" + serveTLS(t, with("127.0.0.1")(t, ca), upgrade)[len("https"):]
		}
		return "ws" + serve(t, upgrade)[len("http"):]
	}
}

func webSocketComparisons() []comparison {
	of := func(settings string) string { return "prober: websocket\nwebsocket: {" + settings + "}" }
	answering := func(code int) func(*testing.T, *authority) string {
		return func(t *testing.T, _ *authority) string {
			return "ws" + serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })[len("http"):]
		}
	}
	facts, refused := []string{"websocket-tls-facts"}, []string{"tls-facts-when-refused"}
	const since = 98
	out := []comparison{
		{name: "open", module: "prober: websocket", target: ws(false, echo)},
		{name: "expect", module: of("query_response: [{expect: '^hello'}]"), target: ws(false, echo)},
		{name: "send", module: of("query_response: [{expect: '^(hel)lo', send: '${1}met'}, {expect: '^helmet$'}]"), target: ws(false, echo)},
		{name: "no match", module: of("query_response: [{expect: '^bye'}]"), target: ws(false, echo)},
		{name: "basic auth", module: of("http_config: {basic_auth: {username: u, password: p}}, query_response: [{expect: 'hello Basic dTpw'}]"), target: ws(false, echo)},
		{name: "bearer", module: of("http_config: {authorization: {credentials: x}}, query_response: [{expect: 'hello Bearer x'}]"), target: ws(false, echo)},
		{name: "headers", module: of("headers: {Authorization: {values: [z]}}, query_response: [{expect: 'hello z'}]"), target: ws(false, echo)},
		{name: "status 403", module: "prober: websocket", target: answering(403)},
		{name: "status 302", module: "prober: websocket", target: answering(302)},
		{name: "status 200", module: "prober: websocket", target: answering(200)},
		{name: "nobody listens", module: "prober: websocket", target: func(t *testing.T, _ *authority) string { return "ws://" + nobody(t) }},
		{name: "over TLS", module: of("http_config: {tls_config: {ca_file: CA}}, query_response: [{expect: hello}]"), target: ws(true, echo), differs: facts},
		{name: "over TLS of nobody known", module: "prober: websocket", target: ws(true, echo), differs: refused},
		{name: "over TLS for another name", module: of("http_config: {tls_config: {ca_file: CA, server_name: shop.example}}"), target: ws(true, echo), differs: refused},
		{name: "the peer closes", module: of("query_response: [{expect: hello}]"), target: ws(false, func(c *websocket.Conn, _ *http.Request) {
			c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "bye"), time.Now().Add(time.Second))
		}), differs: []string{"websocket-regex"}},
		{name: "binary", module: of("query_response: [{expect: hello}]"), target: ws(false, func(c *websocket.Conn, _ *http.Request) {
			c.WriteMessage(websocket.BinaryMessage, []byte("hello"))
			c.ReadMessage()
		})},
	}
	for i := range out {
		out[i].name, out[i].since = "websocket: "+out[i].name, since
	}
	return out
}
