package accesslog

import "bytes"

// verb is how a column's text becomes part of a request.
type verb uint8

const (
	verbSkip verb = iota
	verbText      // a field as it stands
	verbHost
	verbStatus
	verbNumber  // a measure
	verbPart    // a part of the duration, in seconds
	verbURL     // path?query, or absolute
	verbRequest // METHOD URL PROTOCOL
	verbRouteKey
	verbDate
	verbClock
	verbTime
)

// A target is what a column stands for.
type target struct {
	verb   verb
	field  field
	m      measure
	digits int // of a measure's unit: 9 for seconds, 6 for milliseconds
	shift  int // 20 for megabytes
	second bool
}

// targetOf returns the target that a dialect or a mapping names: a field
// ("status", "host"), a measure ("response_bytes", "duration", or with a unit
// "duration_ms"), or one of the composed ones ("url", "request", "date",
// "clock", "time", "route_key", "part").
func targetOf(name string) (target, bool) {
	switch name {
	case "status":
		return target{verb: verbStatus}, true
	case "host":
		return target{verb: verbHost}, true
	case "second_host":
		return target{verb: verbHost, second: true}, true
	case "memory_mb":
		return target{verb: verbNumber, m: measureMemory, shift: 20}, true
	case "part_upstream":
		return target{verb: verbPart, m: measureUpstream}, true
	case "url", "path":
		return target{verb: verbURL}, true
	case "request":
		return target{verb: verbRequest}, true
	case "route_key":
		return target{verb: verbRouteKey}, true
	case "date":
		return target{verb: verbDate}, true
	case "clock":
		return target{verb: verbClock}, true
	case "time":
		return target{verb: verbTime}, true
	case "part":
		return target{verb: verbPart}, true
	case "route":
		return target{verb: verbText, field: fieldTemplate}, true
	}
	for f, known := range fieldNames {
		if known == name {
			return target{verb: verbText, field: field(f)}, true
		}
	}
	for m, info := range measures {
		switch {
		case info.unit == "" || len(name) < len(info.name) || name[:len(info.name)] != info.name:
			continue
		case info.unit == bytesOf && name == info.name:
			return target{verb: verbNumber, m: measure(m)}, true
		case info.unit == seconds:
			if digits, ok := unitDigits(name[len(info.name):]); ok {
				return target{verb: verbNumber, m: measure(m), digits: digits}, true
			}
		}
	}
	return target{}, false
}

// unitDigits returns how many digits of a unit of time make nanoseconds.
func unitDigits(suffix string) (int, bool) {
	switch suffix {
	case "":
		return 9, true
	case "_ms":
		return 6, true
	case "_us":
		return 3, true
	case "_ns":
		return 0, true
	}
	return 0, false
}

// clockwork reads dates, remembering the last one.
type clockwork struct {
	text [10]byte
	days int64
}

func (c *clockwork) date(b []byte) (int64, bool) {
	if len(b) != 10 {
		return 0, false
	}
	if string(b) == string(c.text[:]) {
		return c.days, true
	}
	days, ok := dateDays(b)
	if ok {
		copy(c.text[:], b)
		c.days = days
	}
	return days, ok
}

// set puts a column's text where it belongs.
func (t *target) set(r *request, b []byte, clock *clockwork) {
	switch t.verb {
	case verbText:
		if !dash(b) {
			r.f[t.field] = b
		}
	case verbHost:
		r.setHost(b, !t.second)
	case verbStatus:
		r.setStatus(b)
	case verbNumber:
		v, absent, ok := decimal(b, t.digits)
		if !ok {
			r.reject(badNumber)
		} else if !absent {
			r.n[t.m] = v << t.shift
		}
	case verbPart:
		r.setPart(b, t.m)
	case verbURL:
		r.setURL(b)
	case verbRequest:
		r.setRequestLine(b)
	case verbRouteKey:
		r.setRouteKey(b)
	default:
		t.setTime(r, b, clock)
	}
}

// setTime puts a date, a time of day or both in their place. A time of day
// comes after its date.
func (t *target) setTime(r *request, b []byte, clock *clockwork) {
	ok := true
	switch t.verb {
	case verbDate:
		if r.date, ok = clock.date(b); ok {
			r.hasDate = true
		}
	case verbClock:
		var s int64
		if s, ok = clockSeconds(b); ok && r.hasDate && len(b) == 8 {
			r.time = r.date*86_400_000 + s*1000
		}
	case verbTime:
		if dash(b) {
			return
		}
		r.time, ok = anyMillis(b)
	}
	if !ok {
		r.reject(badTime)
	}
}

func (r *request) setStatus(b []byte) {
	if dash(b) {
		return
	}
	status, ok := threeDigits(b)
	if !ok {
		r.reject(badStatus)
		return
	}
	r.status, r.f[fieldStatus] = status, b
}

// setPart adds to the duration. It stays unknown if one part is. A part may be
// a measure of its own.
func (r *request) setPart(b []byte, m measure) {
	v, absent, ok := decimal(b, 9)
	if !ok {
		r.reject(badNumber)
	}
	if absent {
		r.parts = none
	} else if m == measureUpstream {
		r.n[m] = v
	}
	if r.parts != none && ok {
		r.parts += v
	}
	r.n[measureDuration] = r.parts
}

// setRouteKey takes API Gateway's "GET /pets/{id}" or "$default", which says
// nothing.
func (r *request) setRouteKey(b []byte) {
	method, path, found := bytes.Cut(b, []byte{' '})
	if !found || len(path) == 0 || path[0] != '/' {
		return
	}
	if r.f[fieldTemplate] = path; r.f[fieldMethod] == nil && string(method) != "ANY" {
		r.f[fieldMethod] = method
	}
}
