package accesslog

import (
	"bytes"

	"narthex"
)

// A field is a text that a line says of a request.
type field uint8

const (
	fieldStatus field = iota // of HTTP, as text
	fieldMethod
	fieldPath // without the query
	fieldQuery
	fieldHost
	fieldCache
	fieldEdge
	fieldTemplate // the route, as whoever answered named it
	fieldBehavior // the path pattern of the cache behaviour that answered
	fieldHeaders
	fieldProtocol
	fieldScheme
	fieldTLS
	fieldCountry
	fieldError
	fieldOperation
	fieldFunction
	fieldResult
	fieldKind // of a report
	numFields
)

// fieldNames are what a label's From calls them.
var fieldNames = [numFields]string{
	"status", "method", "path", "query", "host", "cache", "edge", "template", "behavior", "headers",
	"protocol", "scheme", "tls", "country", "error", "operation", "function", "result", "kind",
}

// A measure is a number that a line says of a request. Times are in
// nanoseconds.
type measure uint8

const (
	measureRequests measure = iota
	measureResponseBytes
	measureRequestBytes
	measureDuration
	measureFirstByte
	measureUpstream
	measureUpstreamFirstByte
	measureConnections
	measureConnectionDuration
	measureConnectionSent
	measureConnectionReceived
	measureInvocations
	measureExecution
	measureBilled
	measureInit
	measureMemory
	numMeasures
)

// measureInfo says what a measure is called in a Metric's Of, and what unit
// it has.
type measureInfo struct {
	name, unit string
	histogram  bool // whether it becomes one unless asked otherwise
	help       string
}

const (
	seconds = "seconds"
	bytesOf = "bytes"
)

// measures has the properties of each measure.
var measures = [numMeasures]measureInfo{
	{"requests", "", false, "Requests that access logs tell of."},
	{"response_bytes", bytesOf, false, "Bytes of the answers sent to clients."},
	{"request_bytes", bytesOf, false, "Bytes of the requests received from clients."},
	{"duration", seconds, true, "Time from the first byte of the request to the last byte of the answer."},
	{"ttfb", seconds, true, "Time from the request to the first byte of the answer."},
	{"upstream", seconds, true, "Time that what stands behind took for its answer."},
	{"upstream_ttfb", seconds, true, "Time that what stands behind took for the first byte of its answer."},
	{"connections", "", false, "Connections that access logs tell of."},
	{"connection_duration", seconds, true, "Time from the opening of a connection to its end."},
	{"connection_sent_bytes", bytesOf, false, "Bytes sent to clients over connections."},
	{"connection_received_bytes", bytesOf, false, "Bytes received from clients over connections."},
	{"invocations", "", false, "Invocations of functions."},
	{"execution", seconds, true, "Time that invocations of functions took."},
	{"billed", seconds, false, "Time of functions that was billed."},
	{"init", seconds, true, "Time that functions took to start (cold starts)."},
	{"memory", bytesOf, true, "Most memory that an invocation used."},
}

// none says that a line did not tell a measure.
const none = -1

// noMeasures is what a line begins with.
var noMeasures = [numMeasures]int64{none, none, none, none, none, none, none, none, none, none, none, none, none, none, none, none}

// A request is what a line says. Its texts share the line's memory, or that of
// the parser's scratch, until the next line.
type request struct {
	f        [numFields][]byte
	n        [numMeasures]int64
	extra    [][]byte // what columns that labels name say, by the plan's order
	status   int      // none if there is none
	time     int64    // when it ended, in milliseconds; 0 is unknown
	date     int64    // that of the line, in days, until the time of day is known
	hasDate  bool
	parts    int64 // the sum of a duration that is given in parts, none if one is unknown
	rejected reason
	foreign  []narthex.Series // what the line brought that is metrics already
}

// reset forgets the line before.
func (r *request) reset() {
	clear(r.f[:])
	clear(r.extra)
	r.n = noMeasures
	r.foreign = nil
	r.status, r.time, r.hasDate, r.parts, r.rejected = none, 0, false, 0, fine
}

// reject notes the first thing that is wrong with a line.
func (r *request) reject(why reason) {
	if r.rejected == fine {
		r.rejected = why
	}
}

// dash reports whether a text says that there is none.
func dash(b []byte) bool { return len(b) == 0 || len(b) == 1 && b[0] == '-' }

// setURL takes a path with or without query, or an absolute URL.
func (r *request) setURL(b []byte) {
	if dash(b) {
		return
	}
	if b[0] != '/' {
		if i := bytes.Index(b, []byte("://")); i > 0 && i < 8 {
			b = b[i+3:]
			end := bytes.IndexAny(b, "/?")
			if end < 0 {
				end = len(b)
			}
			r.setHost(b[:end], false)
			b = b[end:]
		}
	}
	path, query, found := bytes.Cut(b, []byte{'?'})
	if r.f[fieldPath] = path; found && r.f[fieldQuery] == nil {
		r.f[fieldQuery] = query
	}
}

// setHost takes a host with or without port. One that is only second best does
// not replace what the line named already.
func (r *request) setHost(b []byte, best bool) {
	// The colons of a bare IPv6 address are not a port's.
	if i := bytes.LastIndexByte(b, ':'); i > 0 && (b[i-1] == ']' || bytes.IndexByte(b, ':') == i) {
		b = b[:i]
	}
	if !dash(b) && (best || r.f[fieldHost] == nil) {
		r.f[fieldHost] = b
	}
}

// setRequestLine takes "METHOD URL PROTOCOL". The URL may have blanks, and
// each part may be "-".
func (r *request) setRequestLine(b []byte) {
	if b = bytes.TrimSpace(b); dash(b) {
		return
	}
	first, last := bytes.IndexByte(b, ' '), bytes.LastIndexByte(b, ' ')
	if first < 0 {
		return // a request that was no HTTP: it counts without method and path
	}
	if r.f[fieldMethod] == nil && !dash(b[:first]) {
		r.f[fieldMethod] = b[:first]
	}
	switch protocol := b[last+1:]; {
	case last == first || !dash(protocol) && !bytes.HasPrefix(protocol, []byte("HTTP/")):
		last = len(b) // HTTP/0.9, or a URL with a blank and nothing behind
	case !dash(protocol):
		r.f[fieldProtocol] = protocol
	}
	r.setURL(bytes.TrimSpace(b[first+1 : last]))
}
