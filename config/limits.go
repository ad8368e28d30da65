package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// SenderLimits bound a sender. 0 is no limit.
type SenderLimits struct {
	// SeriesPerPush is how many series one push may have (series_per_push,
	// default 10000).
	SeriesPerPush int
	// SeriesPerSource is how many active series a source may have
	// (series_per_source, default 50000): those pushed within ledger.idle.
	SeriesPerSource int
	// SeriesPerIdentity is the same for all sources of a sender
	// (series_per_identity, default 1000000).
	SeriesPerIdentity int
	// PushesPerSecond and SamplesPerSecond are rates (pushes_per_second,
	// samples_per_second, default 0).
	PushesPerSecond, SamplesPerSecond float64
	// SourcePushesPerSecond and SourceSamplesPerSecond are the same for each
	// source (source_pushes_per_second, source_samples_per_second, default 0).
	SourcePushesPerSecond, SourceSamplesPerSecond float64
	// Burst is for how long what a rate allows is saved up (burst, default 10s).
	Burst time.Duration
}

// Overflow says what becomes of new series beyond a limit of active series.
type Overflow struct {
	// Action is reject, or other: increments are counted under the value "other"
	// of the labels (action, default reject).
	Action string
	// Labels are those labels (labels, default none: all but the name, the
	// source, job and what a sender's identity forces).
	Labels []string
}

// Of returns the limits of a sender.
func (l *Limits) Of(identity string) SenderLimits {
	if own, ok := l.Identities[identity]; ok {
		return own.or(l.SenderLimits)
	}
	return l.SenderLimits
}

// inherit is a limit of a sender that its entry leaves out.
const inherit = -1

func (s SenderLimits) or(d SenderLimits) SenderLimits {
	for _, f := range [][2]*int{{&s.SeriesPerPush, &d.SeriesPerPush}, {&s.SeriesPerSource, &d.SeriesPerSource}, {&s.SeriesPerIdentity, &d.SeriesPerIdentity}} {
		if *f[0] == inherit {
			*f[0] = *f[1]
		}
	}
	for _, f := range [][2]*float64{
		{&s.PushesPerSecond, &d.PushesPerSecond}, {&s.SamplesPerSecond, &d.SamplesPerSecond},
		{&s.SourcePushesPerSecond, &d.SourcePushesPerSecond}, {&s.SourceSamplesPerSecond, &d.SourceSamplesPerSecond},
	} {
		if *f[0] == inherit {
			*f[0] = *f[1]
		}
	}
	s.Burst = cmp.Or(s.Burst, d.Burst)
	return s
}

// maxRate is the highest rate that may be set.
const maxRate = 1e9

// settings are a sender's limits as settings, in the order of the
// documentation.
func (s *SenderLimits) settings() []named {
	return []named{
		{"series_per_push", count{&s.SeriesPerPush, 1, 1e7}},
		{"series_per_source", count{&s.SeriesPerSource, 0, 1e8}},
		{"series_per_identity", count{&s.SeriesPerIdentity, 0, 1e8}},
		{"pushes_per_second", rate{&s.PushesPerSecond}},
		{"samples_per_second", rate{&s.SamplesPerSecond}},
		{"source_pushes_per_second", rate{&s.SourcePushesPerSecond}},
		{"source_samples_per_second", rate{&s.SourceSamplesPerSecond}},
		{"burst", duration{&s.Burst, time.Second, day}},
	}
}

type named struct {
	name string
	value
}

// rate is a number a second; 0 is none.
type rate struct{ p *float64 }

func (v rate) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= maxRate) || f > 0 && f < 1e-3 {
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		return
	}
	*v.p = f
}
func (v rate) String() string { return strconv.FormatFloat(*v.p, 'f', -1, 64) }
func (v rate) wants() string  { return "a number a second from 0.001 to 1000000000, or 0 for no limit" }

// labelNames is a list of labels.
type labelNames struct{ p *[]string }

func (v labelNames) read(r *reader, path string, n *yaml.Node) {
	var out []string
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		switch s, ok := r.scalar(path, n, "a label's name"); {
		case !ok:
		case s == "" || strings.HasPrefix(s, "__") || s == "le":
			r.errorf(n, path, "%s can't be folded: want the name of another label", message.Quote(s))
		default:
			out = append(out, s)
		}
	})
	*v.p = out
}
func (v labelNames) String() string { return orNone(strings.Join(*v.p, ", ")) }
func (v labelNames) wants() string  { return "a list of labels" }

// choice is one of some words.
type choice struct {
	p     *string
	words []string
}

func (v choice) read(r *reader, path string, n *yaml.Node) {
	switch s, ok := r.scalar(path, n, v.wants()); {
	case !ok:
	case !slices.Contains(v.words, s):
		r.errorf(n, path, "%s is not known; %s", message.Quote(s), message.Suggest(s, v.words))
	default:
		*v.p = s
	}
}
func (v choice) String() string { return *v.p }
func (v choice) wants() string  { return strings.Join(v.words, " or ") }

// layoutName is one layout of buckets.
type layoutName struct{ p *string }

func (v layoutName) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	*v.p = s
	r.later = append(r.later, func() {
		if known := r.config.LayoutNames(); !slices.Contains(known, s) {
			r.errorf(n, path, "the layout %s is not known; %s", message.Quote(s), message.Suggest(s, known))
		}
	})
}
func (v layoutName) String() string { return *v.p }
func (v layoutName) wants() string  { return "a name of histograms, api_latency, default or native" }

// labelName is one label.
type labelName struct{ p *string }

func (v labelName) read(r *reader, path string, n *yaml.Node) {
	switch s, ok := r.scalar(path, n, v.wants()); {
	case !ok:
	case s == "" || strings.HasPrefix(s, "__"):
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
	default:
		*v.p = s
	}
}
func (v labelName) String() string { return *v.p }
func (v labelName) wants() string  { return "a label's name" }

// identityLimits are senders' own limits, by their identities.
type identityLimits struct{ p *map[string]SenderLimits }

func (v identityLimits) read(r *reader, path string, n *yaml.Node) {
	out := make(map[string]SenderLimits)
	r.mapping(path, n, v.wants(), func(key, n *yaml.Node) {
		at := path + "." + message.Clip(key.Value, 80)
		s := SenderLimits{inherit, inherit, inherit, inherit, inherit, inherit, inherit, 0}
		var fields []field
		for _, x := range s.settings() {
			fields = append(fields, field{x.name, func(path string, n *yaml.Node) { x.read(r, path, n) }})
		}
		r.fields(at, n, "limits such as {pushes_per_second: 5}", fields...)
		out[key.Value] = s
	})
	*v.p = out
}

func (v identityLimits) String() string {
	var parts []string
	for _, identity := range slices.Sorted(maps.Keys(*v.p)) {
		s := (*v.p)[identity]
		var set []string
		for _, x := range s.settings() {
			if text := x.String(); text != "-1" && text != "0s" {
				set = append(set, x.name+": "+text)
			}
		}
		parts = append(parts, fmt.Sprintf("%q {%s}", identity, strings.Join(set, ", ")))
	}
	return orNone(strings.Join(parts, "; "))
}

func (v identityLimits) wants() string {
	return "a mapping of identities to limits, such as {token:ci: {pushes_per_second: 5}}"
}
