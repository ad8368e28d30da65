package remotewrite_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"narthex"
	"narthex/remotewrite"
)

// FuzzRefusal: whatever a receiver says, the client comes to an end, and each
// series is stored or rejected; one that the answer names as Prometheus, Cortex
// or Mimir would is found at once.
func FuzzRefusal(f *testing.F) {
	for _, text := range []string{
		"out of order sample", `user=1: err: out of order sample. timestamp=1, series={__name__="s1", a="b"}`,
		`received a series with invalid label: '1' series: 's1{a="b"}' (err-mimir-label-invalid)`,
		`{"message":"err: too old {\"s1\"}"}`, `series s1`, `{{{{"="=}{`, `{__name__="s1"} {__name__="s2",}`, "series", "series={a=\"\\", "{\"message\":3}",
		"out of order exemplar for series {__name__=\"s1\"}", "limit of 3 exceeded", strings.Repeat("{", 100),
	} {
		f.Add(text, "s1", `b"\{}=,`, uint16(400), false)
	}
	f.Fuzz(func(t *testing.T, text, name, value string, status uint16, two bool) {
		for _, form := range []string{"%s", "x for series %s", "user=1: err: x. timestamp=1, series=%s\n", "the affected sample is from series %s"} {
			victim := gauge("victim", 1, 1000)
			victim.Labels = victim.Labels.With("v", strings.ToValidUTF8(value, "")).With("n", strings.ToValidUTF8(name, "")).With("ü.x", "1")
			key := prometheusLabels(victim.Labels).String()
			n := 0
			receiver := roundTrip(func(r *http.Request) (*http.Response, error) {
				n++
				body := must(snappy.Decode(nil, must(io.ReadAll(r.Body))))
				if req := decodeV1(t, body); !slices.ContainsFunc(req.Timeseries, func(ts prompb.TimeSeries) bool { return ts.Labels[0].Value == "victim" }) {
					return answer(204, ""), nil
				}
				said := text
				if form != "%s" {
					said = fmt.Sprintf(form, key)
				}
				return answer(400+int(status)%100, said), nil
			})
			client := newClient(t, remotewrite.Options{Transport: receiver, Version: remotewrite.V1, MaxAttempts: 1})
			b := &narthex.Batch{Series: []narthex.Series{gauge("s1", 1, 1000), victim, gauge("s2", 1, 1000), gauge("s3", 1, 1000), gauge("s4", 1, 1000)}}
			err := client.Write(context.Background(), b)
			if err != nil && narthex.KindOf(err) != narthex.Unavailable {
				t.Fatal(err)
			}
			if n > 30 {
				t.Errorf("%d requests", n)
			}
			if err == nil && form != "%s" && (n > 2 || len(b.Rejected) != 1 || b.Rejected[0].Series != victim.Labels.String()) {
				t.Errorf("%q: %d requests, rejected %v", fmt.Sprintf(form, key), n, b.Rejected)
			}
			if err == nil && !slices.ContainsFunc(b.Rejected, func(r narthex.Rejection) bool { return r.Series == victim.Labels.String() }) && noExemplar(text) {
				t.Errorf("the series that was never stored is not reported: %v", b.Rejected)
			}
		}
	})
}

// noExemplar: a text about one says that the sample is stored.
func noExemplar(text string) bool { return !strings.Contains(text, "exemplar") }

func prometheusLabels(ls narthex.Labels) labels.Labels {
	b := labels.NewScratchBuilder(0)
	for _, l := range ls {
		b.Add(l.Name, l.Value)
	}
	return b.Labels()
}
