package accesslog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"narthex"
)

// stateHeader begins what Learned returns.
const stateHeader = "narthex-routes 1"

// maxState bounds what Learn reads.
const maxState = 4 << 20

// Learned returns what was learned: routes, and the values of labels that
// clients choose. Given to another Reader's [Reader.Learn], it makes that one
// label alike. It is text, sorted, and the same as long as nothing new is
// learned.
func (r *Reader) Learned() []byte {
	var lines []string
	if l := r.router.learn; l != nil {
		l.root.each(func(path string) { lines = append(lines, "route "+path) })
		for ext := range l.assets {
			lines = append(lines, "asset "+ext)
		}
	}
	for i := range r.plan.dims {
		d := &r.plan.dims[i]
		if !d.learned {
			continue
		}
		for _, v := range d.values.text[otherID+1:] {
			if !strings.ContainsAny(v, "\r\n") {
				lines = append(lines, "value "+d.from+"\t"+v)
			}
		}
	}
	slices.Sort(lines)
	var b bytes.Buffer
	for _, line := range append([]string{stateHeader}, lines...) {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Learn takes what another Reader learned, beside what this one has: two that
// learned at the same time are brought together so. What there is no room for,
// or what no metric uses any more, is left out.
func (r *Reader) Learn(state []byte) error {
	if len(state) > maxState {
		return narthex.Errorf(narthex.TooLarge, "the learned routes have %d bytes, the limit is %d: remove them, so that they are learned anew", len(state), maxState)
	}
	if !utf8.Valid(state) {
		return narthex.Errorf(narthex.Invalid, "the learned routes are damaged: they are not UTF-8; remove them, so that they are learned anew")
	}
	header, rest, _ := strings.Cut(string(state), "\n")
	if header != stateHeader {
		return narthex.Errorf(narthex.Invalid, "the learned routes are damaged, or of a newer version: they begin with %.40q, not with %q; remove them, so that they are learned anew", header, stateHeader)
	}
	n := 1
	for line := range strings.Lines(rest) {
		n++
		line = strings.TrimSuffix(line, "\n")
		kind, text, ok := strings.Cut(line, " ")
		if !ok || !r.learnLine(kind, text) {
			return narthex.Errorf(narthex.Invalid, "the learned routes are damaged: line %d is %.80q; remove them, so that they are learned anew", n, line)
		}
	}
	return nil
}

// learnLine takes a line of what was learned. It returns false if it is none.
func (r *Reader) learnLine(kind, text string) bool {
	switch l := r.router.learn; kind {
	case "route":
		if l == nil {
			return true
		}
		return l.restore(text)
	case "asset":
		if l != nil && assetOf([]byte(text)) == text && text != "" {
			r.router.asset(text, true)
		}
		return true
	case "value":
		from, value, ok := strings.Cut(text, "\t")
		for i := range r.plan.dims {
			if d := &r.plan.dims[i]; d.from == from && d.learned {
				d.values.id([]byte(value), d.limit)
			}
		}
		return ok
	}
	return false
}

// RouteShare is a route and how much traffic it covers.
type RouteShare struct {
	Route    string  `json:"route"` // as Options.Routes takes it
	Requests int64   `json:"requests"`
	Share    float64 `json:"share"` // of all requests, 0 to 1
}

// Routes returns the routes of the requests counted, the most frequent first:
// a list for [Options.Routes]. What matches no route is last, as "other". It
// is empty if no metric counts requests by route.
func (c *Counts) Routes() []RouteShare {
	i := slices.IndexFunc(c.reader.metrics, func(m metric) bool {
		return m.m == measureRequests && len(m.needs) == 0 && slices.ContainsFunc(m.dims, c.reader.isRoute)
	})
	if i < 0 {
		return nil
	}
	m := &c.reader.metrics[i]
	counts, total := map[string]int64{}, int64(0)
	for _, row := range c.tables[i].rows {
		method, route := "", ""
		for _, d := range m.dims {
			switch {
			case c.reader.isRoute(d):
				route = c.reader.text(d, row.set[d])
			case c.reader.plan.dims[d].sources[0].origin == fromMethod:
				method = c.reader.text(d, row.set[d])
			}
		}
		if method != "" && method != other && route != other && route != "" {
			route = method + " " + route
		}
		for _, s := range row.slots {
			counts[route] += s.sum
			total += s.sum
		}
	}
	var out []RouteShare
	for route, n := range counts {
		if route == "" {
			route = other
			n += counts[other]
		} else if route == other && counts[""] > 0 {
			continue
		}
		out = append(out, RouteShare{Route: route, Requests: n, Share: float64(n) / float64(total)})
	}
	slices.SortFunc(out, func(a, b RouteShare) int {
		if last := cmp.Compare(rank(a), rank(b)); last != 0 {
			return last
		}
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Route, b.Route))
	})
	return out
}

func rank(s RouteShare) int {
	if s.Route == other {
		return 1
	}
	return 0
}

func (r *Reader) isRoute(d int) bool { return r.plan.dims[d].sources[0].origin == fromRoute }

// String returns the share as a line of a list.
func (s RouteShare) String() string { return fmt.Sprintf("%6.2f%%  %s", 100*s.Share, s.Route) }
