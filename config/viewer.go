package config

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Viewer is the page.
type Viewer struct {
	// PricePerMillionSamples is what a destination charges for samples
	// (price_per_million_samples, default 0.09), PricePerBillionQuerySamples for
	// those that queries read (price_per_billion_query_samples, default 0.1): what
	// Amazon Managed Prometheus charged in us-east-1 in November 2026.
	PricePerMillionSamples, PricePerBillionQuerySamples float64
	// Currency is that of both, three letters (currency, default USD).
	Currency string
}

// amount is a sum of money.
type amount struct{ p *float64 }

func (v amount) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		return
	}
	*v.p = f
}
func (v amount) String() string { return strconv.FormatFloat(*v.p, 'f', -1, 64) }
func (v amount) wants() string  { return "a number from 0 on" }

// currency is a code of ISO 4217.
type currency struct{ p *string }

func (v currency) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	letters := len(s) == 3
	for _, c := range s {
		letters = letters && 'A' <= c && c <= 'Z'
	}
	if !letters {
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		return
	}
	*v.p = s
}
func (v currency) String() string { return *v.p }
func (v currency) wants() string  { return "three letters such as USD" }
