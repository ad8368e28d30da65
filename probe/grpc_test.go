package probe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"narthex/probe"
)

// healthServer is gRPC's own server with its health service.
func healthServer(t *testing.T, service healthpb.HealthServer, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	if service != nil {
		healthpb.RegisterHealthServer(s, service)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) // it ends with Stop
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	return l.Addr().String()
}

// answering is a health service of one answer.
type answering struct {
	healthpb.UnimplementedHealthServer
	check func(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error)
}

func (a answering) Check(ctx context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return a.check(ctx, r)
}

func answer(s healthpb.HealthCheckResponse_ServingStatus, err error) answering {
	return answering{check: func(context.Context, *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
		return &healthpb.HealthCheckResponse{Status: s}, err
	}}
}

func TestGRPCServingStatus(t *testing.T) {
	service := health.NewServer()
	service.SetServingStatus("up", healthpb.HealthCheckResponse_SERVING)
	service.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	service.SetServingStatus("odd", healthpb.HealthCheckResponse_UNKNOWN)
	address := healthServer(t, service)
	for name, c := range map[string]struct {
		want    string
		code    codes.Code
		serving string
	}{
		"":        {"ok", codes.OK, "SERVING"},
		"up":      {"ok", codes.OK, "SERVING"},
		"down":    {"assert/not_serving", codes.OK, "NOT_SERVING"},
		"odd":     {"assert/not_serving", codes.OK, "UNKNOWN"},
		"missing": {"response/status", codes.NotFound, ""},
	} {
		r := runModule(t, moduleOf("grpc", func(m *probe.Module) { m.GRPC.Service = name }), address)
		wantVerdict(t, r, c.want)
		wantMetrics(t, r, fmt.Sprintf("probe_grpc_status_code %d", c.code), "probe_grpc_ssl 0")
		for _, s := range []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"} {
			value := 0
			if s == c.serving {
				value = 1
			}
			wantMetrics(t, r, fmt.Sprintf(`probe_grpc_healthcheck_response{serving_status="%s"} %d`, s, value))
		}
	}
}

// TestGRPCCodes asks gRPC's own client the same: the codes have to agree.
func TestGRPCCodes(t *testing.T) {
	servers := map[string]string{"no health service": healthServer(t, nil)}
	for code := codes.Code(1); code <= codes.Unauthenticated; code++ {
		servers["status "+code.String()] = healthServer(t, answer(0, status.Error(code, "what it says: 100 % ünlucky")))
	}
	servers["a status without a name"] = healthServer(t, answer(0, status.Error(codes.Code(77), "")))
	servers["a serving status without a name"] = healthServer(t, answer(healthpb.HealthCheckResponse_ServingStatus(77), nil))
	for _, code := range []int{200, 204, 400, 401, 403, 404, 429, 500, 502, 503, 504} {
		servers[fmt.Sprintf("HTTP status %d", code)] = h2Server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	for name, write := range map[string]func(http.ResponseWriter){
		"no trailers":               func(w http.ResponseWriter) { w.Write([]byte("\x00\x00\x00\x00\x02\x08\x01")) },
		"nothing at all":            func(http.ResponseWriter) {},
		"only a status":             func(w http.ResponseWriter) { w.Header().Set("Grpc-Status", "5") },
		"a status that is no code":  func(w http.ResponseWriter) { w.Header().Set("Grpc-Status", "x") },
		"OK without a message":      func(w http.ResponseWriter) { w.Header().Set("Grpc-Status", "0") },
		"two messages":              trailing("\x00\x00\x00\x00\x02\x08\x01\x00\x00\x00\x00\x02\x08\x01", "0"),
		"an empty message":          trailing("\x00\x00\x00\x00\x00", "0"),
		"half a prefix":             trailing("\x00\x00", "0"),
		"half a message":            trailing("\x00\x00\x00\x00\x05\x08\x01", "0"),
		"a message that is damaged": trailing("\x00\x00\x00\x00\x02\x08\xff", "0"),
		"a huge message":            trailing("\x00\x7f\xff\xff\xff\x08", "0"),
		"a message and an error":    trailing("\x00\x00\x00\x00\x02\x08\x01", "8"),
		"a compressed message":      trailing("\x01\x00\x00\x00\x02\x08\x01", "0"),
		"an unknown format":         trailing("\x09\x00\x00\x00\x02\x08\x01", "0"),
		"an unknown field":          trailing("\x00\x00\x00\x00\x06\x08\x01\x52\x02hi", "0"),
		"trailers without a status": trailing("\x00\x00\x00\x00\x02\x08\x01", ""),
	} {
		servers[name] = h2Server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			write(w)
		})
	}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		t.Run(name, func(t *testing.T) {
			want, serving := official(t, servers[name])
			r := runModule(t, moduleOf("grpc", nil), servers[name])
			wantMetrics(t, r, fmt.Sprintf("probe_grpc_status_code %d", want))
			if want == codes.OK {
				wantMetrics(t, r, fmt.Sprintf(`probe_grpc_healthcheck_response{serving_status="%s"} 1`, serving))
			} else if got := verdict(r); got != "response/status" && want != codes.DeadlineExceeded {
				t.Errorf("the probe ends as %s: %v", got, r.Failure)
			}
		})
	}
}

func trailing(body, status string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Write([]byte(body))
		w.Header().Set(http.TrailerPrefix+"X-Other", "1")
		if status != "" {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
		}
	}
}

// official is what gRPC's own client makes of a server.
func official(t *testing.T, address string) (codes.Code, string) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	return status.Code(err), r.GetStatus().String()
}

// h2Server is a server of HTTP/2 in plain text.
func h2Server(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handle, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) // it ends with Close
	}()
	t.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

func TestGRPCOverTLS(t *testing.T) {
	server, ca := certified(t)
	address := healthServer(t, health.NewServer(), grpc.Creds(credentials.NewTLS(server)))
	for name, c := range map[string]struct {
		tls  probe.TLS
		want string
		code codes.Code
		ssl  int
	}{
		"verified":      {probe.TLS{CA: ca}, "ok", codes.OK, 1},
		"not verified":  {probe.TLS{InsecureSkipVerify: true}, "ok", codes.OK, 1},
		"not trusted":   {probe.TLS{}, "tls/cert_untrusted", codes.Unavailable, 0},
		"another name":  {probe.TLS{CA: ca, ServerName: "other.example"}, "tls/cert_hostname", codes.Unavailable, 0},
		"old protocols": {probe.TLS{CA: ca, MaxVersion: tls.VersionTLS11}, "tls/handshake", codes.Unavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := runModule(t, moduleOf("grpc", func(m *probe.Module) { m.GRPC.UseTLS, m.GRPC.TLS = true, c.tls }), address)
			wantVerdict(t, r, c.want)
			wantMetrics(t, r, fmt.Sprintf("probe_grpc_status_code %d", c.code), fmt.Sprintf("probe_grpc_ssl %d", c.ssl))
		})
	}
}

// TestGRPCNeedsALPN has a server that speaks TLS and does not agree on HTTP/2,
// which gRPC's own client refuses too.
func TestGRPCNeedsALPN(t *testing.T) {
	for _, protocols := range [][]string{nil, {"http/1.1"}} {
		server, ca := certified(t, protocols...)
		address := peer(t, func(c net.Conn) { readUntil(tls.Server(c, server), 0) })
		r := runModule(t, moduleOf("grpc", func(m *probe.Module) { m.GRPC.UseTLS, m.GRPC.TLS.CA = true, ca }), address)
		if got := verdict(r); !strings.HasPrefix(got, "tls/") {
			t.Errorf("with ALPN %v the probe ends as %s: %v", protocols, got, r.Failure)
		}
		wantMetrics(t, r, "probe_grpc_status_code 14")
	}
}

func TestGRPCRequest(t *testing.T) {
	got := make(chan metadata.MD, 1)
	address := healthServer(t, answering{check: func(ctx context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		md.Set("service", r.GetService())
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left > 3*time.Second || left < time.Second {
			t.Errorf("the server has %v to answer, want 3 s", left)
		}
		got <- md
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	}})
	m := moduleOf("grpc", func(m *probe.Module) {
		m.GRPC.Service = "shop"
		m.GRPC.Metadata = map[string][]probe.Secret{"Authorization": {"Bearer x"}, "many": {"1", "2"}, "blob-bin": {"\x00\xff"}, "content-type": {"text/plain"}}
	})
	wantVerdict(t, runWithin(t, m, "http://"+address+"/ignored", 3*time.Second), "ok")
	md := <-got
	for key, want := range map[string][]string{
		"authorization": {"Bearer x"}, "many": {"1", "2"}, "blob-bin": {"\x00\xff"}, "service": {"shop"},
		"content-type": {"application/grpc"}, ":authority": {address},
	} {
		if !slices.Equal(md[key], want) {
			t.Errorf("%s is %q, want %q", key, md[key], want)
		}
	}
}

// TestGRPCTimeout has servers that do not answer in time: the exporter waits for
// them as long as they please.
func TestGRPCTimeout(t *testing.T) {
	slow := healthServer(t, answering{check: func(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	silent := peer(t, func(c net.Conn) { readUntil(c, 0) })
	for name, address := range map[string]string{"slow": slow, "silent": silent} {
		begun := time.Now()
		r := runWithin(t, moduleOf("grpc", nil), address, 300*time.Millisecond)
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s: the probe takes %v", name, took)
		}
		wantVerdict(t, r, "response/timeout")
		wantMetrics(t, r, "probe_grpc_status_code 4")
	}
}

func TestGRPCConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for name, c := range map[string]struct{ target, want string }{
		"nobody listens":       {closed, "connect/refused"},
		"the peer hangs up":    {peer(t, func(net.Conn) {}), "response/status"},
		"the peer speaks HTTP": {peer(t, func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); readUntil(c, 0) }), "response/status"},
	} {
		r := runModule(t, moduleOf("grpc", nil), c.target)
		wantMetrics(t, r, "probe_grpc_status_code 14")
		if got := verdict(r); got != c.want {
			t.Errorf("%s: the probe ends as %s, want %s: %v", name, got, c.want, r.Failure)
		}
	}
}

// TestGRPCDialsWhatWasResolved has a name that only the module's resolver knows. The
// exporter resolves a name, and then dials the name again.
func TestGRPCDialsWhatWasResolved(t *testing.T) {
	_, port, err := net.SplitHostPort(healthServer(t, health.NewServer()))
	if err != nil {
		t.Fatal(err)
	}
	names := nameServer(t, "udp", nil, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)}}
		}
		w.WriteMsg(m) // the prober says what it has got
	})
	r := runModule(t, moduleOf("grpc", func(m *probe.Module) { m.Resolver = "udp://" + names }), "shop.test:"+port)
	wantVerdict(t, r, "ok")
	wantMetrics(t, r, "probe_ip_protocol 4")
}
