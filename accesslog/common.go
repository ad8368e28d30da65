package accesslog

import "bytes"

// A common parser reads the common and the combined log format, with or
// without a virtual host before and with what nginx is often told to add: the
// request time as a number of its own, or as rt=, and the upstream's as urt=.
// Source: mod_log_config of Apache; nginx's predefined format "combined".
type common struct {
	plan     *plan
	columns  map[string]column
	template bool // the path is a template (API Gateway)
}

// commonNames are the columns, as a label's column:NAME has them.
const commonNames = "vhost remote_addr ident remote_user time request status bytes referer user_agent"

func newCommon(p *plan, template bool) *common {
	c := &common{plan: p, columns: map[string]column{}, template: template}
	for _, name := range fieldsOf([]byte(commonNames)) {
		c.columns[name], _ = p.column(dialect{}, name)
	}
	return c
}

// note keeps a column that a label names.
func (c *common) note(r *request, name string, b []byte) {
	if len(r.extra) == 0 {
		return
	}
	if x := c.columns[name].extra; x != none {
		r.extra[x] = b
	}
}

func (c *common) parse(line []byte, r *request) ([]byte, reason) {
	if line[0] == '{' {
		return nil, badShape
	}
	// Up to five words before the bracket: [vhost] address ident user.
	at := bytes.Index(line, []byte(" ["))
	if at < 0 {
		return nil, badShape
	}
	c.words(line[:at], r)
	stamp, rest, ok := token(line[at:], true)
	request, rest, ok2 := token(rest, true)
	status, rest, ok3 := token(rest, true)
	if !ok || !ok2 || !ok3 || request == nil {
		return nil, badShape
	}
	if status == nil {
		return nil, tooShort
	}
	if r.time, ok = anyMillis(stamp); !ok {
		return nil, badTime
	}
	r.setRequestLine(request)
	if p := r.f[fieldPath]; c.template && len(p) > 0 {
		r.f[fieldTemplate] = p
	}
	r.setStatus(status)
	c.note(r, "request", request)
	c.note(r, "status", status)
	c.tail(rest, r)
	r.n[measureRequests] = 1
	return nil, r.rejected
}

// words reads what is before the time.
func (c *common) words(b []byte, r *request) {
	words := [4][]byte{}
	n := 0
	for ; n < 4; n++ {
		w, rest, ok := token(b, true)
		if !ok || w == nil {
			break
		}
		words[n], b = w, rest
	}
	first := 0
	if n == 4 { // a user's name may have blanks; a virtual host is no address
		if _, isPort := threeDigits(words[0]); !isPort && bytes.IndexByte(words[2], '-') == 0 {
			r.setHost(words[0], true)
			c.note(r, "vhost", words[0])
			first = 1
		}
	}
	for i, name := range []string{"remote_addr", "ident", "remote_user"} {
		if first+i < n {
			c.note(r, name, words[first+i])
		}
	}
}

// tail reads what is behind the status.
func (c *common) tail(rest []byte, r *request) {
	for i := 0; ; i++ {
		quoted := len(bytes.TrimLeft(rest, " ")) > 0 && bytes.TrimLeft(rest, " ")[0] == '"'
		cell, after, ok := token(rest, true)
		if !ok || cell == nil {
			return
		}
		switch rest = after; {
		case i == 0:
			if v, absent, ok := decimal(cell, 0); !ok {
				r.reject(badNumber)
			} else if !absent {
				r.n[measureResponseBytes] = v
			}
			c.note(r, "bytes", cell)
		case i == 1 && quoted:
			c.note(r, "referer", cell)
		case i == 2 && quoted:
			c.note(r, "user_agent", cell)
		default:
			timing(cell, r)
		}
	}
}

// timing takes a column of unknown meaning for a time if it looks like one.
func timing(cell []byte, r *request) {
	name, value, named := bytes.Cut(cell, []byte{'='})
	value = bytes.Trim(value, `"`)
	m := measureDuration
	switch {
	case !named:
		if value = cell; bytes.IndexByte(cell, '.') < 0 {
			return // no request time has no point
		}
	case string(name) == "rt" || string(name) == "request_time":
	case string(name) == "urt" || string(name) == "upstream_response_time":
		m = measureUpstream
	case string(name) == "uht":
		m = measureUpstreamFirstByte
	default:
		return
	}
	if v, absent, ok := decimal(value, 9); ok && !absent && r.n[m] == none {
		r.n[m] = v
	}
}
