package push

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"narthex"
	"narthex/internal/message"
)

// otlpPath is where OpenTelemetry's metrics come in.
const otlpPath = "/v1/metrics"

// writeOTLP pushes increments as OTLP in JSON, which has histograms that were
// counted already. The names arrive as they are only if they are such as OTLP's
// translation makes: counters that end in _total, without units to be added.
func (c *Client) writeOTLP(ctx context.Context, b *narthex.Batch) error {
	metrics := make([]otlpMetric, 0, len(b.Series))
	for _, s := range b.Series {
		m, err := otlpOf(s)
		if err != nil {
			return narthex.Errorf(narthex.Invalid, "series %s can't be pushed: %w", s.Labels, err)
		}
		metrics = append(metrics, m)
	}
	body, err := json.Marshal(map[string]any{"resourceMetrics": []any{map[string]any{"scopeMetrics": []any{map[string]any{"metrics": metrics}}}}})
	if err != nil {
		return narthex.Errorf(narthex.Invalid, "a value can't be written as JSON: %w", err)
	}
	r, err := c.send(ctx, b.ID, call{http.MethodPost, otlpPath, "application/json", body})
	if r != nil {
		b.Rejected = append(b.Rejected, r.Rejected...)
	}
	return err
}

// The JSON of OTLP, as far as increments need it.
//
// Source: opentelemetry-proto v1, metrics.proto, in the protobuf JSON mapping of
// the OTLP specification: 64-bit numbers are strings.
type otlpMetric struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Sum         *otlpKind  `json:"sum,omitempty"`
	Histogram   *otlpKind  `json:"histogram,omitempty"`
	Exponential *otlpKind  `json:"exponentialHistogram,omitempty"`
	Gauge       *otlpGauge `json:"gauge,omitempty"`
}

type otlpKind struct {
	Points      []otlpPoint `json:"dataPoints"`
	Temporality int         `json:"aggregationTemporality"`
	Monotonic   bool        `json:"isMonotonic,omitempty"`
}

type otlpGauge struct {
	Points []otlpPoint `json:"dataPoints"`
}

type otlpPoint struct {
	Attributes []otlpAttribute `json:"attributes,omitempty"`
	Time       string          `json:"timeUnixNano,omitempty"`
	Value      *float64        `json:"asDouble,omitempty"`
	Count      string          `json:"count,omitempty"`
	Sum        *float64        `json:"sum,omitempty"`
	Counts     []string        `json:"bucketCounts,omitempty"`
	Bounds     []float64       `json:"explicitBounds,omitempty"`
	Scale      int32           `json:"scale,omitempty"`
	Zero       string          `json:"zeroCount,omitempty"`
	Positive   *otlpRun        `json:"positive,omitempty"`
	Negative   *otlpRun        `json:"negative,omitempty"`
}

type otlpRun struct {
	Offset int32    `json:"offset"`
	Counts []string `json:"bucketCounts"`
}

type otlpAttribute struct {
	Key   string `json:"key"`
	Value struct {
		String string `json:"stringValue"`
	} `json:"value"`
}

// deltaTemporality is AGGREGATION_TEMPORALITY_DELTA.
const deltaTemporality = 1

func otlpOf(s narthex.Series) (otlpMetric, error) {
	m := otlpMetric{Name: s.Labels.Get(narthex.MetricName), Description: s.Help}
	var attributes []otlpAttribute
	for _, l := range s.Labels {
		if l.Name != narthex.MetricName {
			a := otlpAttribute{Key: l.Name}
			a.Value.String = l.Value
			attributes = append(attributes, a)
		}
	}
	for _, x := range s.Samples {
		p := otlpPoint{Attributes: attributes}
		if x.Time > 0 {
			p.Time = strconv.FormatInt(x.Time, 10) + "000000"
		}
		switch h := x.Histogram; {
		case s.As == narthex.AsGauge && h == nil:
			p.Value = &x.Value
			if m.Gauge == nil {
				m.Gauge = new(otlpGauge)
			}
			m.Gauge.Points = append(m.Gauge.Points, p)
		case s.As != narthex.AsDelta:
			return m, fmt.Errorf("only increments go with histograms in one push")
		case h == nil:
			p.Value = &x.Value
			m.Sum = m.Sum.with(p)
			m.Sum.Monotonic = true
		default:
			if err := p.histogram(h); err != nil {
				return m, err
			}
			if h.Schema == narthex.CustomBounds {
				m.Histogram = m.Histogram.with(p)
			} else {
				m.Exponential = m.Exponential.with(p)
			}
		}
	}
	return m, nil
}

func (k *otlpKind) with(p otlpPoint) *otlpKind {
	if k == nil {
		k = &otlpKind{Temporality: deltaTemporality}
	}
	k.Points = append(k.Points, p)
	return k
}

// histogram makes a point of one. Its counts are whole numbers in OTLP.
func (p *otlpPoint) histogram(h *narthex.Histogram) (err error) {
	text := func(n float64) string {
		if n != math.Trunc(n) || n < 0 || n > 1<<53 {
			err = fmt.Errorf("a bucket counts %v, which is no whole number", n)
		}
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	p.Count, p.Sum = text(h.Count), &h.Sum
	if h.Schema == narthex.CustomBounds {
		p.Bounds = h.Bounds
		for _, n := range h.Positive.Counts {
			p.Counts = append(p.Counts, text(n))
		}
		return err
	}
	run := func(b narthex.Buckets) *otlpRun {
		var r *otlpRun
		b.Each(func(index int32, n float64) {
			// A bucket of index i ends where OTLP's of index i-1 does.
			if r == nil {
				r = &otlpRun{Offset: index - 1}
			}
			for index-1 > r.Offset+int32(len(r.Counts)) {
				r.Counts = append(r.Counts, "0")
			}
			r.Counts = append(r.Counts, text(n))
		})
		return r
	}
	p.Scale, p.Zero, p.Positive, p.Negative = h.Schema, text(h.ZeroCount), run(h.Positive), run(h.Negative)
	return err
}

// otlpAnswer makes a receipt or an error of an answer to OTLP.
func otlpAnswer(resp *http.Response, id string, text []byte) (*Receipt, error) {
	var a struct {
		Message string `json:"message"`
		Partial struct {
			Rejected json.Number `json:"rejectedDataPoints"`
			Message  string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(text, &a); err != nil {
		a.Message = fmt.Sprintf("the answer (%s) is not narthex's: %s", resp.Status, message.Clip(string(text), 200))
		if resp.StatusCode < 300 {
			return nil, narthex.Errorf(narthex.Invalid, "%s", a.Message)
		}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errorOf(resp, a.Message)
	}
	r := &Receipt{ID: id, Status: Accepted}
	if n := a.Partial.Rejected.String(); n != "" && n != "0" {
		r.Status = Partial
		r.Rejected = []narthex.Rejection{{Series: n + " of them", Reason: a.Partial.Message}}
	}
	return r, nil
}

// Known reports whether the other has counted what was pushed under the id. It
// saves pushing it again; it isn't needed to be safe.
func (c *Client) Known(ctx context.Context, id string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.receiptURL(id), nil)
	if err != nil {
		return false
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
