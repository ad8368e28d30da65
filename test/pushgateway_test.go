package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"narthex"
)

// gatewayRequest is one request to both.
type gatewayRequest struct {
	method, path, body string
	headers            []string // name, value, …
	code               int      // of both
	ours               int      // ours, where it is another on purpose
}

// send makes the request and returns the status code.
func (r gatewayRequest) send(t testing.TB, base string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(r.method, base+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(r.headers); i += 2 {
		req.Header.Set(r.headers[i], r.headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(text))
}

// series returns what a gateway exposes of its groups, as a store would have
// it: without empty labels, with canonical bounds. Of the times of pushes it
// says only whether there was one.
func gatewaySeries(t testing.TB, base string) map[string]string {
	t.Helper()
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	dec := expfmt.SampleDecoder{Dec: expfmt.NewDecoder(resp.Body, expfmt.NewFormat(expfmt.TypeTextPlain)), Opts: &expfmt.DecodeOptions{Timestamp: model.Now()}}
	out := make(map[string]string)
	for {
		var v model.Vector
		if err := dec.Decode(&v); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		for _, x := range v {
			labels := make(map[string]string)
			for name, value := range x.Metric {
				labels[string(name)] = string(value)
			}
			addSeries(out, labels, float64(x.Value))
		}
	}
}

// narthexSeries returns what a query finds of the groups.
func narthexSeries(t testing.TB, base string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, r := range query(t, base, `{job=~".+"}`, time.Time{}) {
		v, err := strconv.ParseFloat(r.Value.v, 64)
		if err != nil {
			t.Fatal(err)
		}
		addSeries(out, r.Metric, v)
	}
	return out
}

func addSeries(out map[string]string, labels map[string]string, v float64) {
	if labels["job"] == "" {
		return
	}
	var parts []string
	for name, value := range labels {
		if name == "le" || name == "quantile" {
			if f, err := strconv.ParseFloat(value, 64); err == nil {
				value = narthex.FormatBound(f)
			}
		}
		if value != "" && name != "__name__" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, value))
		}
	}
	sort.Strings(parts)
	text := fmt.Sprint(v)
	if name := labels["__name__"]; strings.HasPrefix(name, "push_") {
		text = fmt.Sprint(v != 0)
	} else if math.IsNaN(v) {
		text = "NaN"
	}
	out[labels["__name__"]+"{"+strings.Join(parts, ",")+"}"] = text
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

// The same requests to Debian's Pushgateway and to narthex get the same
// answers and leave the same series, but for what is listed as deliberate.
func TestPushgatewayDifferential(t *testing.T) {
	t.Parallel()
	theirs, _ := pushgateway(t, "--log.level", "error")
	s := newServer(t, "scrape_interval: 1s\n")
	n := 0
	for _, c := range gatewayCases(t) {
		deliberate := len(c.differs) > 0
		for _, r := range c.requests {
			n++
			want := r.code
			deliberate = deliberate || r.ours != 0
			if got, text := r.send(t, theirs); got != want {
				t.Errorf("%s: %s %s %.60q: Pushgateway answers %d %s, the table says %d", c.name, r.method, r.path, r.body, got, text, want)
			}
			if r.ours != 0 {
				want = r.ours
			}
			if got, text := r.send(t, s.url()); got != want {
				t.Errorf("%s: %s %s %.60q: narthex answers %d %s, want %d", c.name, r.method, r.path, r.body, got, text, want)
			}
		}
		if deliberate != (c.why != "") {
			t.Errorf("%s: a difference has a reason, and a reason a difference", c.name)
		} else if deliberate {
			t.Logf("deliberately different: %s: %s", c.name, c.why)
		}
	}
	if t.Logf("%d requests", n); n < 40 {
		t.Errorf("%d requests are too few", n)
	}
	want := gatewaySeries(t, theirs)
	for _, c := range gatewayCases(t) {
		for series, value := range c.differs {
			if want[series] == value {
				t.Errorf("%s: %s is no difference", c.name, series)
			}
			if want[series] = value; value == "" {
				delete(want, series)
			}
		}
	}
	var got map[string]string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if got = narthexSeries(t, s.url()); cmp.Equal(want, got) {
			break
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-Pushgateway +narthex)\n%s", d)
	}
	t.Logf("%d series are the same", len(want))
}
