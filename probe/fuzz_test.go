package probe_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"google.golang.org/protobuf/proto"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"narthex/openmetrics"
	"narthex/probe"
)

// FuzzWebSocketFrames reads what a server may send. Whatever it is, what the client
// answers is masked frames.
func FuzzWebSocketFrames(f *testing.F) {
	for _, seed := range []string{"\x81\x02hi", "\x01\x01h\x89\x04ping\x80\x01i", "\x88\x02\x03\xe8", "\x81\x7e\x00\x80" + strings.Repeat("x", 128), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		text, answers, err := probe.ReadWebSocket(sent)
		if len(text) > len(sent) {
			t.Errorf("%d bytes have a message of %d", len(sent), len(text))
		}
		if err == nil && len(sent) < len(text)+2 {
			t.Error("there is a message without its frame")
		}
		for len(answers) > 0 {
			op, payload, rest := unframe(t, answers)
			if op == 0x8 && len(payload) == 1 {
				t.Errorf("the client closes with %x", payload)
			}
			answers = rest
		}
	})
}

// TestWebSocketWrite writes messages as a client and reads them as a server.
func TestWebSocketWrite(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		text := bytes.Repeat([]byte("xyz"), n)[:n]
		op, payload, rest := unframe(t, probe.WriteWebSocket(text))
		if op != 0x1 || !bytes.Equal(payload, text) || len(rest) > 0 {
			t.Errorf("%d bytes are written as a frame %x of %d bytes, and %d after it", n, op, len(payload), len(rest))
		}
	}
}

// unframe reads a client's frame.
func unframe(t *testing.T, b []byte) (op byte, payload, rest []byte) {
	t.Helper()
	if len(b) < 6 || b[0]&0xf0 != 0x80 || b[1]&0x80 == 0 {
		t.Fatalf("%x is no frame of a client", b)
	}
	op, n, b := b[0]&0xf, int(b[1]&0x7f), b[2:]
	switch n {
	case 126:
		n, b = int(binary.BigEndian.Uint16(b)), b[2:]
	case 127:
		n, b = int(binary.BigEndian.Uint64(b)), b[8:]
	}
	if len(b) < n+4 {
		t.Fatalf("the frame has %d bytes, and %d are left", n, len(b))
	}
	mask, payload := b[:4], bytes.Clone(b[4:n+4])
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return op, payload, b[n+4:]
}

// FuzzGRPCAnswer reads what a server may answer. A message that is taken has to be
// what the official codec reads.
func FuzzGRPCAnswer(f *testing.F) {
	f.Add("application/grpc", "", "0", []byte("\x00\x00\x00\x00\x02\x08\x01"), 200)
	f.Add("application/grpc+proto", "gzip", "5", []byte("\x01\x00\x00\x00\x02\x08\x01"), 200)
	f.Add("text/html", "", "", []byte("<html>"), 503)
	f.Add("application/grpc", "", "x", []byte("\x00\xff\xff\xff\xff"), 200)
	f.Fuzz(func(t *testing.T, contentType, encoding, status string, body []byte, code int) {
		r := &http.Response{
			StatusCode: code, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1,
			Header:  http.Header{"Content-Type": {contentType}, "Grpc-Encoding": {encoding}},
			Trailer: http.Header{"Grpc-Status": {status}},
			Request: httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil),
		}
		serving, got, err := probe.ReadHealth(r)
		if err != nil {
			if got == 0 {
				t.Errorf("an error has the code OK: %v", err)
			}
			if !utf8.ValidString(err.Error()) {
				t.Errorf("the error is not UTF-8: %q", err)
			}
			return
		}
		var want healthpb.HealthCheckResponse
		if err := proto.Unmarshal(body[5:], &want); err != nil {
			t.Errorf("%x is taken for a message: %v", body[5:], err)
		} else if int32(want.GetStatus()) != serving {
			t.Errorf("%x is read as %d, want %d", body[5:], serving, want.GetStatus())
		}
	})
}

// FuzzConversation has a peer say anything, and sends and labels parts of it.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("220 mail ESMTP\r\n"), `^220 (\S+)`, "EHLO ${1}\r", "$1")
	f.Add([]byte("\xff\xfe\n\x00"), `(.*)`, "$1$2${x}$$", "${1}$")
	f.Add([]byte(strings.Repeat("x", 70000)), `(?P<all>x+)`, "${all}", "$all")
	said := make(chan []byte, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			text := <-said
			go func() {
				defer c.Close()
				go io.Copy(io.Discard, c)
				c.Write(text)
			}()
		}
	}()
	f.Fuzz(func(t *testing.T, text []byte, pattern, send, label string) {
		re, err := regexp.Compile(pattern)
		if err != nil || len(pattern) > 100 {
			return
		}
		said <- text
		r := runModule(t, moduleOf("tcp", func(m *probe.Module) {
			m.TCP.Conversation = []probe.Step{
				{Expect: re, Send: probe.Secret(send), Labels: []probe.StepLabel{{"a", label}}},
				{Expect: re, Labels: []probe.StepLabel{{"b", label}, {"a", "x"}}},
				{ExpectBytes: "xx"},
			}
		}), l.Addr().String())
		if r.Failure != nil && (r.Failure.Phase == probe.PhaseInternal || r.Failure.Reason == probe.ReasonTimeout) {
			t.Errorf("the probe ends as %s: %v\n%s", verdict(r), r.Failure, r.Log)
		}
		var out bytes.Buffer
		if err := openmetrics.WriteText(&out, r.Families); err != nil {
			t.Fatal(err)
		}
		if _, err := openmetrics.Text.Parse(out.Bytes(), openmetrics.Limits{}); err != nil {
			t.Errorf("the metrics can't be read: %v\n%s", err, &out)
		}
		if out.Len() > 32<<10 {
			t.Errorf("the metrics have %d bytes", out.Len())
		}
	})
}

// FuzzICMPReply reads what may come from the network. What is taken for a reply is
// one for golang.org/x/net/icmp as well.
func FuzzICMPReply(f *testing.F) {
	f.Add(probe.EchoRequest(1, 2, []byte("payload")), false)
	f.Add([]byte("\x00\x00\x00\x00\x12\x34\x00\x01payload"), false)
	f.Add([]byte("\x81\x00\x00\x00\x12\x34\x00\x01payload"), true)
	f.Add(append([]byte("\x0b\x00\x00\x00\x00\x00\x00\x00\x45\x00\x00\x1c\x00\x00\x00\x00\x01\x01\x00\x00\x7f\x00\x00\x01\x7f\x00\x00\x01"), probe.EchoRequest(1, 2, nil)...), false)
	f.Fuzz(func(t *testing.T, packet []byte, v6 bool) {
		what, original := probe.ParseICMPError(packet, v6)
		if (what == "") != (original == nil) && len(original) > 0 {
			t.Errorf("%x is %q about %x", packet, what, original)
		}
		id, seq, payload, ok := probe.ParseEchoReply(packet, v6)
		if !ok {
			return
		}
		protocol := 1
		if v6 {
			protocol = 58
		}
		m, err := icmp.ParseMessage(protocol, packet)
		if err != nil {
			t.Fatalf("%x is taken for a reply: %v", packet, err)
		}
		e, ok := m.Body.(*icmp.Echo)
		if !ok || e.ID != int(id) || e.Seq != int(seq) || !bytes.Equal(e.Data, payload) {
			t.Errorf("%x is read as %d %d %q, want %+v", packet, id, seq, payload, m.Body)
		}
	})
}

func TestEchoRequestIsWhatTheLibraryWrites(t *testing.T) {
	for _, payload := range []string{"", "x", "xy", strings.Repeat("\xff", 1001)} {
		m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 0xfedc, Seq: 0xba98, Data: []byte(payload)}}
		want, err := m.Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := probe.EchoRequest(0xfedc, 0xba98, []byte(payload)); !bytes.Equal(got, want) {
			t.Errorf("the request is %x, want %x", got, want)
		}
	}
}
