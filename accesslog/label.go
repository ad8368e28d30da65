package accesslog

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// maxDims is how many labels of different origin the metrics of one reader
// can have.
const maxDims = 16

// origin is where a label's value comes from.
type origin uint8

const (
	fromField origin = iota
	fromStatus
	fromClass
	fromMethod
	fromRoute
	fromHost
	fromEdge
	fromColumn
	fromCapture
	fromQuery
	fromHeader
	fromHostPattern
)

// A source is one place where a label's value may stand.
type source struct {
	origin         origin
	field          field
	slot           int // of a column, or of a capture
	name           []byte
	prefix, suffix []byte
}

// A dimension is what lines are told apart by: a label of one or more metrics.
type dimension struct {
	from    string
	sources []source
	values  *values
	limit   int
	guarded bool // whoever sends requests chooses its values: only answers below 400 make new ones
	learned bool // its values are part of what is learned
	wide    bool // folded first where a metric is full
	folded  sketch
}

// A plan says what of a line matters.
type plan struct {
	dims     []dimension
	fields   [numFields]bool
	measures [numMeasures]bool
	columns  []string // that labels name, by slot
	captures []string // names of pattern fields that labels name, by slot
	seed     maphash.Seed
}

// dimension returns the index of the dimension that a label is made of.
func (p *plan) dimension(l Label) (int, error) {
	from := l.From
	if from == "" {
		from = l.Name
	}
	if i := slices.IndexFunc(p.dims, func(d dimension) bool { return d.from == from }); i >= 0 {
		p.dims[i].limit = max(p.dims[i].limit, l.Limit)
		return i, nil
	}
	if len(p.dims) == maxDims {
		return 0, fmt.Errorf("the metrics have labels of more than %d origins", maxDims)
	}
	d := dimension{from: from, values: newValues(), limit: l.Limit}
	for alt := range strings.SplitSeq(from, "|") {
		s, err := p.source(strings.TrimSpace(alt))
		if err != nil {
			return 0, err
		}
		d.sources = append(d.sources, s)
		switch s.origin {
		case fromHost, fromCapture, fromQuery, fromHeader, fromHostPattern:
			d.guarded, d.learned, d.wide = true, true, true
		case fromColumn:
			d.learned, d.wide = true, true
		case fromField:
			if s.field == fieldPath || s.field == fieldQuery || s.field == fieldProtocol {
				d.guarded, d.learned, d.wide = true, true, true
			}
		case fromRoute:
			d.wide = true
		case fromMethod:
			for _, m := range knownMethods {
				d.values.id([]byte(m), len(knownMethods))
			}
		}
	}
	if d.limit <= 0 {
		if d.limit = 1000; d.sources[0].origin == fromHost {
			d.limit = 100
		}
	}
	p.dims = append(p.dims, d)
	return len(p.dims) - 1, nil
}

// source reads one alternative of a From.
func (p *plan) source(from string) (source, error) {
	kind, name, named := strings.Cut(from, ":")
	if named && name == "" {
		return source{}, fmt.Errorf("%q names nothing behind the colon", from)
	}
	if named {
		return p.namedSource(kind, name)
	}
	simple := map[string]source{
		"status": {origin: fromStatus, field: fieldStatus}, "status_class": {origin: fromClass, field: fieldStatus},
		"method": {origin: fromMethod, field: fieldMethod}, "route": {origin: fromRoute, field: fieldPath},
		"host": {origin: fromHost, field: fieldHost}, "edge": {origin: fromEdge, field: fieldEdge},
	}
	if s, ok := simple[kind]; ok {
		p.fields[s.field] = true
		if s.origin == fromRoute {
			p.fields[fieldTemplate], p.fields[fieldBehavior], p.fields[fieldMethod] = true, true, true
		}
		return s, nil
	}
	for f, known := range fieldNames {
		if known == kind {
			p.fields[f] = true
			return source{origin: fromField, field: field(f)}, nil
		}
	}
	return source{}, fmt.Errorf("nothing of a request is called %q: give from: one of status, status_class, method, route, host, cache, edge, %s, or column:NAME, path:NAME, query:NAME, header:NAME, host:PATTERN",
		from, strings.Join(fieldNames[fieldProtocol:], ", "))
}

// namedSource reads kind:name.
func (p *plan) namedSource(kind, name string) (source, error) {
	switch kind {
	case "column":
		return source{origin: fromColumn, slot: slotOf(&p.columns, name)}, nil
	case "path":
		p.fields[fieldPath], p.fields[fieldMethod] = true, true
		return source{origin: fromCapture, slot: slotOf(&p.captures, name)}, nil
	case "query":
		p.fields[fieldQuery] = true
		return source{origin: fromQuery, name: []byte(name)}, nil
	case "header":
		p.fields[fieldHeaders] = true
		return source{origin: fromHeader, name: []byte(name), slot: slotOf(&p.columns, "cs("+name+")")}, nil
	case "host":
		open, end := strings.IndexByte(name, '{'), strings.IndexByte(name, '}')
		if open < 0 || end < open {
			return source{}, fmt.Errorf("host:%s: want a host with one {…} in it, such as {tenant}.example.com", name)
		}
		p.fields[fieldHost] = true
		return source{origin: fromHostPattern, prefix: []byte(name[:open]), suffix: []byte(name[end+1:])}, nil
	}
	return source{}, fmt.Errorf("%s:%s: want column, path, query, header or host before the colon", kind, name)
}

// slotOf returns the index of name in list, which it is appended to if need be.
func slotOf(list *[]string, name string) int {
	if i := slices.Index(*list, name); i >= 0 {
		return i
	}
	*list = append(*list, name)
	return len(*list) - 1
}

// knownMethods are those of RFC 9110 and PATCH; any other is "other".
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// methodIndex returns the index of a method in knownMethods, or none.
func methodIndex(b []byte) int {
	switch string(b) {
	case "GET":
		return 0
	case "HEAD":
		return 1
	case "POST":
		return 2
	case "PUT":
		return 3
	case "DELETE":
		return 4
	case "CONNECT":
		return 5
	case "OPTIONS":
		return 6
	case "TRACE":
		return 7
	case "PATCH":
		return 8
	}
	return none
}

// text returns what the source says of a request, nil if nothing.
func (s *source) text(r *request) []byte {
	switch s.origin {
	case fromColumn:
		return undash(r.extra[s.slot])
	case fromQuery:
		return undash(parameter(r.f[fieldQuery], s.name))
	case fromHeader:
		if b := undash(r.extra[s.slot]); b != nil {
			return b
		}
		return header(r.f[fieldHeaders], s.name)
	case fromHostPattern:
		h := r.f[fieldHost]
		if len(h) > len(s.prefix)+len(s.suffix) && bytes.HasPrefix(h, s.prefix) && bytes.HasSuffix(h, s.suffix) {
			return h[len(s.prefix) : len(h)-len(s.suffix)]
		}
		return nil
	}
	return r.f[s.field]
}

func undash(b []byte) []byte {
	if dash(b) {
		return nil
	}
	return b
}

// parameter returns the value of a parameter of a query, still encoded.
func parameter(query, name []byte) []byte {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if len(pair) > len(name) && pair[len(name)] == '=' && bytes.HasPrefix(pair, name) {
			return pair[len(name)+1:]
		}
	}
	return nil
}

// header returns a header's value from CloudFront's cs-headers, where lines
// end in an encoded line feed (%0A).
func header(headers, name []byte) []byte {
	for len(headers) > 0 {
		var line []byte
		line, headers, _ = bytes.Cut(headers, []byte("%0A"))
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], name) {
			return bytes.TrimPrefix(line[len(name)+1:], []byte("%20"))
		}
	}
	return nil
}
