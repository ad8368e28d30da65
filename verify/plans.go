package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"narthex"
)

// flush is how often a writer writes what it has counted, in ms.
const flush = 10_000

// plans are the strategies: what each sends, in the order in which it is sent.
func (s *session) plans(begin int64, all []event) []plan {
	out := []plan{
		s.uniqueID("S1", "increase", begin, all), s.uniqueID("S1s", "sum_over_time", begin, all),
		s.ownClocks(begin, all), s.offsets(begin, all), s.oneWriter(begin, all), s.perInstance(begin, all), s.shards(begin, all),
		s.sharedCounter("S8a", "a shared counter, stamped by its senders' clocks", begin, all, true),
		s.sharedCounter("S8b", "a shared counter, value and time from one step", begin, all, false),
	}
	if s.speaks[v2] {
		out = append(out, s.deltasWithStart(begin, all))
	}
	return out
}

func (s *session) counter(name string, at int64, v float64, kv ...string) delivery {
	x := s.one(metricOf(name), at, v, kv...)
	x.Type = narthex.TypeCounter
	return delivery{x, v1}
}

// uniqueID gives each delivery a series of its own, so that nothing collides.
func (s *session) uniqueID(name, query string, begin int64, all []event) plan {
	p := plan{name, "a new series for each push (_unique_id)", query, nil}
	for i, e := range all {
		p.requests = append(p.requests, s.counter(name, begin+e.at, e.n, "_unique_id", fmt.Sprint(i)))
	}
	return p
}

// ownClocks has all instances write their increments to one series, as they
// arrive, at the senders' seconds.
func (s *session) ownClocks(begin int64, all []event) plan {
	p := plan{"S2", "increments to one series, at the senders' times", "sum_over_time", nil}
	for _, e := range all {
		at := (begin + e.at) / 1000 * 1000
		if e.again {
			at += 500 // a retry is stamped anew
		}
		p.requests = append(p.requests, s.counter(p.name, at, e.n))
	}
	return p
}

// offsets writes each increment to a millisecond that is its own, whoever
// delivers it again.
func (s *session) offsets(begin int64, all []event) plan {
	p := plan{"S3", "increments to one series, each at a time of its own", "sum_over_time", nil}
	for _, e := range all {
		p.requests = append(p.requests, s.counter(p.name, begin+e.at, e.n))
	}
	return p
}

// oneWriter adds up what arrives, each event once, and writes the total on a
// steady tick, from zero on.
func (s *session) oneWriter(begin int64, all []event) plan {
	p := plan{"S4", "one writer adds up, and writes totals on a tick", "increase", nil}
	total, i := 0.0, 0
	for t := int64(0); ; t += flush {
		for ; i < len(all) && all[i].arrives <= t; i++ {
			if !all[i].again {
				total += all[i].n
			}
		}
		p.requests = append(p.requests, s.counter(p.name, begin+t, total))
		if i == len(all) {
			return p
		}
	}
}

// perInstance has each instance write totals of its own, from zero on.
func (s *session) perInstance(begin int64, all []event) plan {
	p := plan{"S5", "a series for each instance, from zero on", "increase", nil}
	totals := make([]float64, eventInstances)
	written := make([]float64, eventInstances)
	inOrder := slices.Clone(all)
	slices.SortStableFunc(inOrder, func(a, b event) int { return int(a.at - b.at) })
	i := 0
	for t := int64(0); t <= eventSpan+flush; t += flush {
		for ; i < len(inOrder) && inOrder[i].at <= t; i++ {
			if !inOrder[i].again {
				totals[inOrder[i].instance] += inOrder[i].n
			}
		}
		for n := range totals {
			if t == 0 || totals[n] != written[n] {
				p.requests = append(p.requests, s.counter(p.name, begin+t, totals[n], "instance", fmt.Sprint(n)))
				written[n] = totals[n]
			}
		}
	}
	return p
}

// shards has four writers in memory, each of which begins anew after half of
// the time.
func (s *session) shards(begin int64, all []event) plan {
	const writers = 4
	p := plan{"S7", "four writers in memory, which begin anew halfway", "increase", nil}
	var totals [writers]float64
	i := 0
	for t := int64(0); i < len(all) || t%flush != 0; t += flush {
		if t == 4*flush {
			totals = [writers]float64{}
		}
		for ; i < len(all) && all[i].arrives <= t; i++ {
			if !all[i].again {
				totals[all[i].instance%writers] += all[i].n
			}
		}
		for n := range totals {
			p.requests = append(p.requests, s.counter(p.name, begin+t, totals[n], "shard", fmt.Sprint(n)))
		}
	}
	return p
}

// sharedCounter increments a counter that all instances share, and writes what
// it said. Requests overtake each other on their way.
func (s *session) sharedCounter(name, about string, begin int64, all []event, senders bool) plan {
	p := plan{name, about, "increase", []delivery{s.counter(name, begin, 0)}}
	r := rand.New(rand.NewPCG(4, 2))
	total, last := 0.0, begin
	type sent struct {
		delivery
		at int64
	}
	var way []sent
	for _, e := range all {
		if e.again {
			continue
		}
		total += e.n
		at := begin + e.arrives
		if senders { // each clock is off by up to five seconds
			at += int64(e.instance-eventInstances/2) * 1250
		} else {
			at = max(at, last+1)
			last = at
		}
		way = append(way, sent{s.counter(name, max(at, begin+1), total), e.arrives + r.Int64N(3000)})
	}
	slices.SortStableFunc(way, func(a, b sent) int { return int(a.at - b.at) })
	for _, w := range way {
		p.requests = append(p.requests, w.delivery)
	}
	return p
}

// deltasWithStart writes increments of remote write 2.0 that say when they
// began, which few backends add up.
func (s *session) deltasWithStart(begin int64, all []event) plan {
	p := plan{"S9", "increments with start timestamps (2.0)", "increase", nil}
	i, last := 0, begin
	for t := int64(flush); i < len(all); t += flush {
		sum := 0.0
		for ; i < len(all) && all[i].arrives <= t; i++ {
			if !all[i].again {
				sum += all[i].n
			}
		}
		d := s.counter(p.name, begin+t, sum)
		d.v = v2
		d.series.Samples[0].Start = last
		last = begin + t
		p.requests = append(p.requests, d)
	}
	return p
}
