package accesslog

import (
	"bytes"
	"unicode/utf8"
)

// How many routes logs may name by themselves, and how many labels routes may
// have had altogether before new ones become "other".
const (
	maxTemplates   = 1000
	labelsPerRoute = 4
	maxRouteLength = 256
)

// A router labels requests with routes.
type router struct {
	patterns   node
	given      int      // patterns
	learn      *learner // nil: nothing is learned
	labels     *values
	templates  int
	maxLearned int // labels
	learned    int
	captures   [][]byte // what named fields of the last match stand for, by slot
	segments   [][]byte
	decoded    [][]byte
	scratch    []byte
}

// route returns the label of a request, and whether it is the request's own:
// false if it counts as other.
func (rt *router) route(r *request) uint32 {
	clear(rt.captures)
	if t := r.f[fieldTemplate]; len(t) > 0 {
		if id, ok := rt.template(t); ok {
			if len(rt.captures) > 0 {
				rt.match(r)
			}
			return id
		}
	}
	if len(r.f[fieldPath]) == 0 {
		return absentID
	}
	if rt.given > 0 {
		if p := rt.match(r); p != nil {
			return p.label
		}
	}
	if b := r.f[fieldBehavior]; len(b) > 0 && b[0] == '/' && !catchAll(b) {
		if id, ok := rt.template(b); ok {
			return id
		}
	}
	if rt.learn != nil {
		return rt.find(r)
	}
	return otherID
}

// catchAll reports whether a cache behaviour's pattern says nothing.
func catchAll(b []byte) bool { return string(b) == "/*" || string(b) == "/" }

// template returns the label of a route that the log names itself.
func (rt *router) template(b []byte) (uint32, bool) {
	id, h, ok := rt.labels.find(b)
	if ok {
		return id, true
	}
	if rt.templates >= maxTemplates || len(b) > maxRouteLength || b[0] != '/' || !utf8.Valid(b) {
		return 0, false
	}
	rt.templates++
	return rt.labels.add(string(b), h), true
}

// match looks for a pattern, first of the path as it stands, then decoded.
func (rt *router) match(r *request) *pattern {
	rt.segments = split(r.f[fieldPath], rt.segments)
	segments := rt.segments
	p := rt.patterns.match(segments, r.f[fieldMethod])
	if p == nil && bytes.IndexByte(r.f[fieldPath], '%') >= 0 {
		segments = rt.decode()
		p = rt.patterns.match(segments, r.f[fieldMethod])
	}
	if p != nil {
		for _, c := range p.captures {
			rt.captures[c.slot] = segments[c.at]
		}
	}
	return p
}

// decode returns the parts of the path decoded, each for itself, so that an
// encoded slash is none.
func (rt *router) decode() [][]byte {
	rt.scratch, rt.decoded = rt.scratch[:0], rt.decoded[:0]
	need := 0
	for _, s := range rt.segments {
		need += len(s)
	}
	if cap(rt.scratch) < need {
		rt.scratch = make([]byte, 0, 2*need) // so that parts don't move
	}
	for _, s := range rt.segments {
		rt.decoded = append(rt.decoded, unescape(s, &rt.scratch))
	}
	return rt.decoded
}

// mayLearn reports whether an answer may make new values: scanners and typing
// errors don't.
func mayLearn(r *request) bool { return r.status == none || r.status >= 100 && r.status < 400 }

// find labels a path with a learned route.
func (rt *router) find(r *request) uint32 {
	rt.segments = split(r.f[fieldPath], rt.segments)
	segments := rt.segments
	if bytes.IndexByte(r.f[fieldPath], '%') >= 0 {
		segments = rt.decode()
	}
	if len(segments) > 0 {
		if ext := assetOf(segments[len(segments)-1]); ext != "" {
			return rt.asset(ext, mayLearn(r))
		}
	}
	b := rt.learn.find(segments, mayLearn(r))
	if b == nil {
		return otherID
	}
	if b.label == 0 {
		b.label = rt.label(b.path())
	}
	return b.label
}

// asset labels a file that belongs to a page by its extension.
func (rt *router) asset(ext string, create bool) uint32 {
	id, ok := rt.learn.assets[ext]
	if !ok && create {
		id = rt.label("/**" + ext)
		rt.learn.assets[ext] = id
		ok = true
	}
	if !ok {
		return otherID
	}
	return id
}

// label returns the id of a learned route.
func (rt *router) label(path string) uint32 {
	id, h, ok := rt.labels.find([]byte(path))
	switch {
	case ok:
		return id
	case len(path) > maxRouteLength || rt.learned >= rt.maxLearned:
		return otherID
	}
	rt.learned++
	return rt.labels.add(path, h)
}
