package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"narthex"
)

// stored is a series as it is read back.
type stored struct {
	labels     map[string]string
	samples    []narthex.Sample // by time
	histograms int              // native ones
}

// maxAnswer bounds the answer to a query.
const maxAnswer = 16 << 20

// ask makes a query and decodes data.result into to.
func (s *session) ask(ctx context.Context, path string, form url.Values, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.o.QueryURL+path+"?"+form.Encode(), nil)
	if err != nil {
		return narthex.Errorf(narthex.Invalid, "the query address can't be used")
	}
	resp, err := s.query.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return narthex.Errorf(narthex.Unavailable, "the query address can't be reached: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return narthex.Errorf(narthex.Unavailable, "read the answer to a query: %w", err)
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	switch err := json.Unmarshal(body, &answer); {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return narthex.Errorf(narthex.Forbidden, "the query address refuses the credentials (%d)", resp.StatusCode)
	case err != nil:
		return narthex.Errorf(narthex.Invalid, "the query address answers %d and no JSON: want that of a Prometheus HTTP API, without /api/v1", resp.StatusCode)
	case answer.Status != "success":
		return narthex.Errorf(narthex.Invalid, "the backend can't answer %s: %s", form.Get("query"), answer.Error)
	}
	return json.Unmarshal(answer.Data, to)
}

// read returns the series of a name that this run has written, whatever their
// time.
func (s *session) read(ctx context.Context, name string) ([]stored, error) {
	if !strings.HasPrefix(name, "narthex") {
		name = prefix + name
	}
	window := s.o.MaxAge + 2*time.Hour
	expr := fmt.Sprintf(`{__name__=%q,run=%q}[%dm]`, name, s.o.Run, int(window.Minutes()))
	return s.samples(ctx, expr, s.o.Now().Add(time.Hour))
}

// samples returns what a range selector picks at a time.
func (s *session) samples(ctx context.Context, expr string, at time.Time) ([]stored, error) {
	var data struct {
		Result []struct {
			Metric     map[string]string
			Values     []point
			Histograms []json.RawMessage
		}
	}
	form := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}, "nocache": {"1"}}
	if err := s.ask(ctx, "/api/v1/query", form, &data); err != nil {
		return nil, err
	}
	var out []stored
	for _, r := range data.Result {
		x := stored{labels: r.Metric, histograms: len(r.Histograms)}
		for _, p := range r.Values {
			x.samples = append(x.samples, narthex.Sample(p))
		}
		sort.SliceStable(x.samples, func(i, j int) bool { return x.samples[i].Time < x.samples[j].Time })
		out = append(out, x)
	}
	return out, nil
}

// scalar returns the sum of an instant query's values, false if there are none.
func (s *session) scalar(ctx context.Context, expr string, at int64) (float64, bool, error) {
	var data struct {
		Result []struct{ Value point }
	}
	form := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at)/1000, 'f', 3, 64)}, "nocache": {"1"}}
	if err := s.ask(ctx, "/api/v1/query", form, &data); err != nil {
		return 0, false, err
	}
	sum := 0.0
	for _, r := range data.Result {
		sum += r.Value.Value
	}
	return sum, len(data.Result) > 0, nil
}

// point is a sample as the API writes it: [seconds, "value"].
type point narthex.Sample

// UnmarshalJSON implements [json.Unmarshaler].
func (p *point) UnmarshalJSON(b []byte) error {
	var seconds float64
	var text string
	if err := json.Unmarshal(b, &[]any{&seconds, &text}); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	p.Time, p.Value = int64(math.Round(seconds*1000)), v
	return err
}

// await writes a last sample and waits until that can be read. Some backends
// show what they have stored only after a while.
func (s *session) await(ctx context.Context) error {
	if s.o.QueryURL == "" {
		return nil
	}
	if _, err := s.write(ctx, v1, s.one("end", s.now, 1)); err != nil {
		return err
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(s.o.Visible); ; {
		got, err := s.read(ctx, "end")
		if err != nil {
			return err
		}
		if len(got) > 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return narthex.Errorf(narthex.Unavailable, "what was written can't be read back after %s: does the query address belong to the same backend (and tenant)?", s.o.Visible)
		}
		select {
		case <-ctx.Done():
			return narthex.Errorf(narthex.Unavailable, "wait for what was written: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
