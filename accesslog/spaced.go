package accesslog

import (
	"bytes"
	"fmt"
	"strings"
)

// A spaced parser reads lines whose columns stand between blanks, some of them
// in quotes or brackets: the load balancers' and S3's logs.
type spaced struct {
	unit     measure
	columns  []column
	names    int
	required int
	clock    clockwork
	sampler  sampler
}

// newSpaced returns the parser of a positional format.
func newSpaced(f positional, p *plan, report *Report) *spaced {
	s := &spaced{unit: f.unit, names: len(f.columns), required: 8, sampler: sampler{report: report}}
	d := dialect{}
	for i, spec := range f.columns {
		name, meaning, _ := strings.Cut(spec, "=")
		d[name] = meaning
		c, _ := p.column(d, name)
		if s.columns = append(s.columns, c); c.verb == verbStatus {
			s.required = i + 1
		}
	}
	last := len(s.columns)
	for last > 0 && !s.columns[last-1].used {
		last--
	}
	s.columns = s.columns[:last]
	return s
}

func (s *spaced) parse(line []byte, r *request) ([]byte, reason) {
	rest, cell, ok := line, []byte(nil), true
	for i := range s.columns {
		if cell, rest, ok = token(rest, false); !ok {
			return nil, badShape
		}
		if cell == nil {
			if i < s.required {
				return nil, tooShort
			}
			break
		}
		if c := &s.columns[i]; c.used {
			c.set(r, cell, &s.clock)
		}
	}
	if s.sampler.due() {
		n := len(s.columns)
		for cell, rest, _ = token(rest, false); cell != nil; cell, rest, _ = token(rest, false) {
			if n++; n > s.names && n <= s.names+8 {
				s.sampler.unknown(fmt.Sprint("column ", n))
			}
		}
	}
	r.n[s.unit] = 1
	return nil, r.rejected
}

// token cuts the next column from a line; it is nil at the line's end. A quoted
// column ends at the quote before a blank or the end, since what clients send
// may have quotes in it; where escapes is true, a quote behind a backslash is
// none. ok is false if a quote or a bracket is never closed.
func token(b []byte, escapes bool) (cell, rest []byte, ok bool) {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	if len(b) == 0 {
		return nil, nil, true
	}
	switch b[0] {
	case '"':
		for i := 1; i < len(b); i++ {
			end := bytes.IndexByte(b[i:], '"')
			if end < 0 {
				return nil, nil, false
			}
			i += end
			if (i+1 == len(b) || b[i+1] == ' ') && !(escapes && escaped(b[1:i])) {
				return b[1:i:i], b[i+1:], true
			}
		}
		return nil, nil, false
	case '[':
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return nil, nil, false
		}
		if end+1 < len(b) && b[end+1] != ' ' {
			break // an IPv6 address with a port
		}
		return b[1:end:end], b[end+1:], true
	}
	end := bytes.IndexByte(b, ' ')
	if end < 0 {
		return b, nil, true
	}
	return b[:end], b[end:], true
}

// escaped reports whether b ends in an odd number of backslashes.
func escaped(b []byte) bool {
	n := len(b)
	for n > 0 && b[n-1] == '\\' {
		n--
	}
	return (len(b)-n)%2 == 1
}
