package remotewrite_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"

	"narthex"
	"narthex/remotewrite"
)

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// style is how a model of a receiver refuses.
type style struct {
	two    bool // reads 2.0
	keeps  bool // stores the good of a refused request
	status int
	// tell writes the body, given what is wrong with which series.
	tell func(bad []fault) string
	// miscounts: the bad are among what 2.0 says to be written, as Mimir does it.
	miscounts bool
}

type fault struct {
	series, what string
	at           int64
}

// The receivers as they were seen to answer.
func styles() map[string]style {
	one := func(format string) func([]fault) string {
		return func(bad []fault) string { return fmt.Sprintf(format, bad[0].what, bad[0].at, bad[0].series) }
	}
	return map[string]style{
		"Prometheus 1.0": {status: 400, tell: func(bad []fault) string { return bad[0].what + "\n" }},
		"Prometheus 2.0": {two: true, keeps: true, status: 400, tell: func(bad []fault) string {
			var lines []string
			for _, f := range bad {
				lines = append(lines, f.what+" for series "+f.series)
			}
			return strings.Join(lines, "\n") + "\n"
		}},
		"Prometheus 2.42": {status: 500, tell: func(bad []fault) string { return bad[0].what + "\n" }},
		"Cortex":          {keeps: true, status: 400, tell: one("user=1_ws-2: err: %s. timestamp=%d, series=%s")},
		"Amazon": {keeps: true, status: 400, tell: func(bad []fault) string {
			return `{"message":` + strconv.Quote(fmt.Sprintf("user=1_ws-2: err: %s. timestamp=2026-01-01T00:00:00Z, series=%s", bad[0].what, bad[0].series)) + `}`
		}},
		"Mimir":     {keeps: true, status: 400, tell: one("failed pushing to ingester a: user=x: %s (err-mimir-x). The affected sample has timestamp %d and is from series %s")},
		"Mimir 2.0": {two: true, keeps: true, miscounts: true, status: 400, tell: one("user=x: %s (err-mimir-x). The affected sample has timestamp %d and is from series %s")},
		"terse":     {status: 400, tell: func([]fault) string { return "bad request" }},
		"large":     {status: 413, tell: func([]fault) string { return "too large" }},
		"Thanos":    {keeps: true, status: 409, tell: func(bad []fault) string { return "store locally: add 1 series: " + bad[0].what }},
	}
}

// model is a receiver without an out-of-order window, in the style of one.
type model struct {
	t        *testing.T
	style    style
	newest   map[string]int64
	values   map[string]float64 // the newest
	stored   map[string]int     // samples
	requests int
	lose     int // answers that are lost
}

func newModel(t *testing.T, s style) *model {
	return &model{t: t, style: s, newest: map[string]int64{}, values: map[string]float64{}, stored: map[string]int{}}
}

func (m *model) RoundTrip(r *http.Request) (*http.Response, error) {
	m.requests++
	zipped, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	body := must(snappy.Decode(nil, zipped))
	two := r.Header.Get(remotewrite.HeaderVersion) == remotewrite.HeaderVersionV2
	if two && !m.style.two {
		return answer(415, ""), nil
	}
	before := *m
	if !m.style.keeps {
		before.newest, before.values, before.stored = clone(m.newest), clone(m.values), clone(m.stored)
	}
	written, bad := m.take(two, body)
	if len(bad) > 0 && !m.style.keeps {
		m.newest, m.values, m.stored = before.newest, before.values, before.stored
	}
	if m.lose > 0 {
		m.lose--
		return nil, io.ErrUnexpectedEOF
	}
	a := answer(204, "")
	if len(bad) > 0 {
		a = answer(m.style.status, m.style.tell(bad))
	}
	if two {
		if m.style.miscounts {
			written += len(bad)
		}
		a.Header.Set(remotewrite.HeaderSamplesWritten, strconv.Itoa(written))
	}
	return a, nil
}

func clone[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// take stores what it can.
func (m *model) take(two bool, body []byte) (written int, bad []fault) {
	b := labels.NewScratchBuilder(0)
	if two {
		req := decodeV2(m.t, body)
		for _, ts := range req.Timeseries {
			for _, s := range ts.Samples {
				written += m.sample(must(ts.ToLabels(&b, req.Symbols)), s.Timestamp, s.Value, &bad)
			}
		}
		return written, bad
	}
	for _, ts := range decodeV1(m.t, body).Timeseries {
		for _, s := range ts.Samples {
			written += m.sample(ts.ToLabels(&b, nil), s.Timestamp, s.Value, &bad)
		}
	}
	return written, bad
}

func (m *model) sample(ls labels.Labels, at int64, v float64, bad *[]fault) int {
	key := ls.String()
	last, known := m.newest[key]
	switch {
	case ls.Get("poison") != "":
		*bad = append(*bad, fault{key, ls.Get("poison"), at})
		return 0
	case known && at == last && m.values[key] != v:
		*bad = append(*bad, fault{key, fmt.Sprintf("duplicate sample for timestamp %d; overrides not allowed: existing %g, new value %g", at, m.values[key], v), at})
		return 0
	case known && at < last:
		*bad = append(*bad, fault{key, "out of order sample", at})
		return 0
	case known && at == last:
		return 1
	}
	m.newest[key], m.values[key] = at, v
	m.stored[key]++
	return 1
}

func poison(name, what string) narthex.Series {
	s := gauge(name, 1, 1000)
	s.Labels = s.Labels.With("poison", what).With("odd", "a{b=\"c\"}\n,\\")
	return s
}

// TestPoison: 2,000 good series and 3 bad ones in one batch.
func TestPoison(t *testing.T) {
	for name, st := range styles() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, st)
			client := newClient(t, remotewrite.Options{Transport: m, MaxSamples: 5000, MinBackoff: 1})
			b := &narthex.Batch{}
			for i := range 2000 {
				b.Series = append(b.Series, gauge(fmt.Sprintf("good_%04d", i), float64(i), 1000))
			}
			for i, what := range []string{"too old sample", "out of order sample", "out of bounds"} {
				at := []int{3, 1000, 2002}[i]
				b.Series = slices.Insert(b.Series, at, poison(fmt.Sprintf("bad_%d", i), what))
			}
			if err := patient(client, b); err != nil {
				t.Fatal(err)
			}
			if len(m.stored) != 2000 {
				t.Errorf("%d good series are stored", len(m.stored))
			}
			var bad []string
			for _, r := range b.Rejected {
				bad = append(bad, r.Series[:5])
				if !strings.Contains(r.Reason, "refused the sample at 1970-01-01T00:00:01.000Z") {
					t.Errorf("reason %s", r.Reason)
				}
			}
			slices.Sort(bad)
			if want := []string{"bad_0", "bad_1", "bad_2"}; !slices.Equal(bad, want) {
				t.Errorf("rejected %v", b.Rejected)
			}
			if m.requests > 80 {
				t.Errorf("%d requests", m.requests)
			}
			t.Logf("%d requests", m.requests)
			if s := client.Stats(); s.Samples != 2000 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// TestSupersededTotals: leads that come again after their values were written are
// done, whatever the receiver says, and do not cost more than one request each.
func TestSupersededTotals(t *testing.T) {
	for name, st := range styles() {
		if name == "terse" || name == "large" {
			continue // it does not say why
		}
		t.Run(name, func(t *testing.T) {
			m := newModel(t, st)
			client := newClient(t, remotewrite.Options{Transport: m, MinBackoff: 1})
			var zeros, values []narthex.Series
			for i := range 300 {
				zeros = append(zeros, gauge(fmt.Sprint("c", i), 0, 1000))
				values = append(values, gauge(fmt.Sprint("c", i), 5, 2000))
			}
			zeros[7].Labels = zeros[7].Labels.With("new", "yes")
			for _, series := range [][]narthex.Series{slices.Delete(slices.Clone(zeros), 7, 8), values, zeros} {
				b := &narthex.Batch{Series: series, Totals: true}
				if err := client.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
					t.Fatal(err, b.Rejected)
				}
			}
			if m.stored[`{__name__="c7", new="yes"}`] != 1 {
				t.Error("the zero that was not there before is not stored")
			}
			if s := client.Stats(); s.Superseded == 0 {
				t.Errorf("stats %+v", s)
			}
			if m.requests > 650 {
				t.Errorf("%d requests", m.requests)
			}
		})
	}
}

// TestAnswerLost: what is sent again because an answer was lost is not rejected,
// though the receiver says that it is out of order.
func TestAnswerLost(t *testing.T) {
	for name, st := range styles() {
		if name == "terse" || name == "large" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := newModel(t, st)
			m.lose = 1
			if !st.two {
				m.requests = 0
			}
			client := newClient(t, remotewrite.Options{Transport: m, MinBackoff: 1, Version: map[bool]remotewrite.Version{true: remotewrite.V2, false: remotewrite.V1}[st.two]})
			b := &narthex.Batch{}
			for i := range 20 {
				s := gauge(fmt.Sprint("m", i), 1, 1000)
				s.Samples = append(s.Samples, narthex.Sample{Time: 2000, Value: 2}, narthex.Sample{Time: 3000, Value: 3})
				b.Series = append(b.Series, s)
			}
			if err := client.Write(context.Background(), b); err != nil || len(b.Rejected) > 0 {
				t.Fatal(err, b.Rejected)
			}
			for key, n := range m.stored {
				if n != 3 || m.values[key] != 3 {
					t.Errorf("%s has %d samples, the last %v", key, n, m.values[key])
				}
			}
			if len(m.stored) != 20 {
				t.Errorf("%d series", len(m.stored))
			}
		})
	}
}

// TestOneBadSampleOfMany: only the bad sample of a series is dropped.
func TestOneBadSampleOfMany(t *testing.T) {
	for name, st := range styles() {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, st)
			m.newest[`{__name__="m"}`], m.values[`{__name__="m"}`] = 1500, 7
			client := newClient(t, remotewrite.Options{Transport: m, MinBackoff: 1})
			s := gauge("m", 1, 1000)
			s.Samples = append(s.Samples, narthex.Sample{Time: 2000, Value: 2}, narthex.Sample{Time: 3000, Value: 3})
			b := &narthex.Batch{Series: []narthex.Series{gauge("a", 1, 1000), s, gauge("z", 1, 1000)}}
			if err := patient(client, b); err != nil {
				t.Fatal(err)
			}
			// Thanos neither says which nor forgets the rest: the newest sample is
			// there, so the others are taken to be.
			if name != "Thanos" && (len(b.Rejected) != 1 || b.Rejected[0].Series != "m") {
				t.Errorf("rejected %v", b.Rejected)
			}
			if m.stored[`{__name__="m"}`] != 2 || len(m.stored) != 3 {
				t.Errorf("stored %v", m.stored)
			}
		})
	}
}

// TestLimitWithoutNames: a receiver that stores the rest and never says which
// series it did not is not asked for ever.
func TestLimitWithoutNames(t *testing.T) {
	m := newModel(t, style{keeps: true, status: 400, tell: func([]fault) string {
		return "user=x: err: per-user series limit of 100 exceeded, please contact administrator to raise it"
	}})
	client := newClient(t, remotewrite.Options{Transport: m})
	b := &narthex.Batch{}
	for i := range 1000 {
		b.Series = append(b.Series, gauge(fmt.Sprint("good", i), 1, 1000), poison(fmt.Sprint("bad", i), "limit"))
	}
	if err := client.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if m.requests > 100 || len(m.stored) != 1000 {
		t.Errorf("%d requests, %d stored", m.requests, len(m.stored))
	}
	bad := 0
	for _, r := range b.Rejected {
		if strings.HasPrefix(r.Series, "bad") {
			bad++
		}
	}
	if bad != 1000 {
		t.Errorf("%d of the 1,000 are reported", bad)
	}
}

// TestAllRefused: a far receiver that refuses each sample and never says which
// (as Amazon does to those of more than an hour ago) is not asked for minutes.
func TestAllRefused(t *testing.T) {
	for _, url := range []string{"http://receiver.example/w", "https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write"} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			far := roundTrip(func(*http.Request) (*http.Response, error) {
				n++
				time.Sleep(50 * time.Millisecond)
				return answer(400, `timestamp too old: 1000 metric: "m"`), nil
			})
			client := newClient(t, remotewrite.Options{URL: url, Transport: far, Version: remotewrite.V1, MaxElapsed: 10 * time.Second})
			b := &narthex.Batch{}
			for i := range 2000 {
				b.Series = append(b.Series, gauge(fmt.Sprint("m", i), 1, 1000))
			}
			start := time.Now()
			if err := client.Write(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 11*time.Second || len(b.Rejected) != 2000 {
				t.Errorf("%s: %d requests in %s, %d rejected", url, n, took, len(b.Rejected))
			}
		})
	}
}
