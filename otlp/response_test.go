package otlp_test

import (
	"encoding/json"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"narthex/otlp"
)

// Answers are read by the official types.
func TestResponse(t *testing.T) {
	for _, c := range []struct {
		n       int
		message string
	}{{0, ""}, {3, "a{b=\"c\"}: \\ why\n\tné\u2028 \x01"}, {0, "only a warning"}, {1 << 20, ""}} {
		for _, e := range []otlp.Encoding{otlp.Protobuf, otlp.JSON} {
			r := pmetricotlp.NewExportResponse()
			body := e.Response(c.n, c.message)
			err := r.UnmarshalProto(body)
			if e == otlp.JSON {
				err = r.UnmarshalJSON(body)
			}
			if p := r.PartialSuccess(); err != nil || p.RejectedDataPoints() != int64(c.n) || p.ErrorMessage() != c.message {
				t.Errorf("%q: %v, %d %q", body, err, p.RejectedDataPoints(), p.ErrorMessage())
			}
		}
	}
	var s status.Status
	if err := proto.Unmarshal(otlp.Protobuf.Status(14, "später"), &s); err != nil || s.Code != 14 || s.Message != "später" {
		t.Errorf("%v: %v", err, &s)
	}
	var j struct {
		Code    int
		Message string
	}
	if err := json.Unmarshal(otlp.JSON.Status(3, "a \"b\" \xff"), &j); err != nil || j.Code != 3 || j.Message != "a \"b\" \ufffd" {
		t.Errorf("%v: %v", err, j)
	}
}
