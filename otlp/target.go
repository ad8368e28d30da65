package otlp

import (
	"fmt"
	"math"

	"narthex"
)

// identifying are the attributes that become job and instance.
func identifying() []string {
	return []string{"service.namespace", "service.name", "service.instance.id"}
}

// maxTargets bounds the samples of one target_info: a day at the usual
// distance.
const maxTargets = 600

// timeSpan is from the earliest to the latest time of a resource's points.
type timeSpan struct{ first, last uint64 }

func (s *timeSpan) add(points []Point) {
	for i := range points {
		if at := points[i].Time; at != 0 && at <= math.MaxInt64 {
			if s.first == 0 || at < s.first {
				s.first = at
			}
			s.last = max(s.last, at)
		}
	}
}

// target adds target_info, which has a resource's attributes: if there are some
// besides those of job and instance, and one of these two. It is written from
// the earliest time of the resource's points to the latest, so often that a
// query always finds it.
func (t *translator) target(r *Resource, span timeSpan) {
	leave, others := identifying(), len(r.Attributes)
	for _, key := range leave {
		if _, ok := get(r.Attributes, key); ok {
			others--
		}
	}
	if span.last == 0 || others == 0 {
		return
	}
	if t.KeepIdentifyingResourceAttributes {
		leave = nil
	}
	t.scratch.reset()
	err := t.attributes(r.Attributes, leave)
	if err == nil {
		t.identify()
		t.scratch.set(narthex.MetricName, targetInfo)
		t.scratch.sort()
		err = t.Names.Check(t.scratch.ls)
	}
	ls := t.with(t.scratch.ls, targetInfo, "", "")
	if ls.Get("job") == "" && ls.Get("instance") == "" {
		return
	}
	if err != nil && len(t.out.Warnings) == maxWarnings {
		return
	}
	if err != nil {
		t.out.Warnings = append(t.out.Warnings, fmt.Sprintf("the resource's attributes are not kept in target_info: %v", err))
		return
	}
	samples := t.targetTimes(ls, span)
	if t.targets += len(samples); t.targets > t.MaxSeries {
		t.err = narthex.Errorf(narthex.TooLarge, "the request's points lie so far apart that target_info would have more than %d samples: send it in several", t.MaxSeries)
	} else if len(samples) > 0 {
		t.out.Samples = append(t.out.Samples, narthex.Series{Labels: ls, Type: narthex.TypeGauge, Help: "Target metadata", Samples: samples})
		t.out.ofSample = append(t.out.ofSample, -1)
	}
}

// targetTimes returns the samples, but those that another resource of the same
// request brought already.
func (t *translator) targetTimes(ls narthex.Labels, span timeSpan) (out []narthex.Sample) {
	if t.seenTargets == nil {
		t.seenTargets = make(map[string]map[int64]bool)
	}
	key := string(ls.AppendKey(nil))
	seen := t.seenTargets[key]
	if seen == nil {
		seen = make(map[int64]bool)
		t.seenTargets[key] = seen
	}
	add := func(at int64) {
		if !seen[at] {
			seen[at] = true
			out = append(out, narthex.Sample{Time: at, Value: 1})
		}
	}
	step := max(1, uint64(t.Lookback/2))
	first := span.first
	if n := (span.last - first) / step; n > maxTargets {
		first += (n - maxTargets) * step
	}
	for at := first; at < span.last; at += step {
		add(ms(at))
	}
	add(ms(span.last))
	return out
}
