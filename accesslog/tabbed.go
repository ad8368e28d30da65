package accesslog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"narthex"
)

// maxColumns bounds a header.
const maxColumns = 512

// A tabbed parser reads lines whose columns stand between tabs (or another
// byte): CloudFront's standard and real-time logs.
type tabbed struct {
	delimiter byte
	columns   []column // up to the last one that matters
	names     int      // columns that the header names
	required  int      // columns that a line must have
	clock     clockwork
	sampler   sampler
}

// newTabbed returns the parser for the columns of a #Fields header or of the
// configuration. Names that CloudFront's logs never had are noted in the
// report; a header that has none of CloudFront's own is another program's.
func newTabbed(fields []string, o *Options, p *plan, report *Report) (*tabbed, error) {
	t := &tabbed{delimiter: '\t', names: len(fields), required: 1, sampler: sampler{report: report}}
	if o.Delimiter != "" {
		t.delimiter = o.Delimiter[0]
	}
	if len(fields) == 0 || len(fields) > maxColumns {
		return nil, narthex.Errorf(narthex.Invalid, "the header #Fields names %d columns: want 1 to %d", len(fields), maxColumns)
	}
	for i, name := range fields {
		if len(name) > maxValue {
			return nil, narthex.Errorf(narthex.Invalid, "the header #Fields names a column of %d bytes, %.20q…, in place %d: names have %d at most", len(name), name, i+1, maxValue)
		}
	}
	d, own, unknown := cloudFront(), false, []string(nil)
	if slices.Contains(fields, "cs-host") {
		d["x-host-header"] = "" // in real-time logs the distribution's name
	}
	if slices.Contains(fields, "x-host-header") {
		d["cs(Host)"] = "" // the distribution's name
	}
	for i, name := range fields {
		c, known := p.column(d, name)
		own = own || strings.HasPrefix(name, "x-edge-")
		if !known {
			unknown = append(unknown, name)
		}
		if t.columns = append(t.columns, c); c.verb == verbStatus {
			t.required = i + 1
		}
	}
	if slices.Contains(fields, "x-event") {
		return nil, narthex.Errorf(narthex.Invalid, "the header #Fields is that of CloudFront's RTMP logs (x-event, x-sname), which tell of streaming events, not of requests: they ended in 2020 and are not read")
	}
	if len(unknown) > 0 && !own {
		return nil, narthex.Errorf(narthex.Invalid, "the header #Fields is not CloudFront's: it has %s; logs of other servers are read as common, combined or JSON lines",
			strings.Join(unknown[:min(len(unknown), 5)], ", "))
	}
	for _, name := range unknown {
		t.sampler.unknown(name)
	}
	for _, m := range p.lacks(t.columns, []field{fieldStatus, fieldMethod, fieldPath, fieldHost, fieldCache, fieldEdge},
		[]measure{measureResponseBytes, measureRequestBytes, measureDuration, measureFirstByte}) {
		report.addMissing(m)
	}
	last := len(t.columns)
	for last > 0 && !t.columns[last-1].used {
		last--
	}
	t.columns = t.columns[:max(last, t.required)]
	return t, nil
}

func (t *tabbed) parse(line []byte, r *request) ([]byte, reason) {
	if n := t.cut(line, r); n < t.required {
		return nil, tooShort
	}
	if t.sampler.due() {
		// A tab at the end makes an empty column, which older logs have.
		n := bytes.Count(bytes.TrimRight(line, string(t.delimiter)), []byte{t.delimiter}) + 1
		for i := t.names; i < min(n, t.names+8); i++ {
			t.sampler.unknown(fmt.Sprint("column ", i+1))
		}
	}
	r.n[measureRequests] = 1
	return nil, r.rejected
}

// Eight bytes, and their lowest seven bits.
const (
	eachByte  = 0x0101010101010101
	sevenBits = 0x7f7f7f7f7f7f7f7f
)

// cut sets the columns that matter and returns how many of those up to the last
// one were there. It looks at eight bytes at a time: cells are short, so that
// a call to find each delimiter would take longer than finding it.
func (t *tabbed) cut(line []byte, r *request) int {
	pattern, col, start := uint64(t.delimiter)*eachByte, 0, 0
	for i := 0; i < len(line) && col < len(t.columns); i += 8 {
		var word uint64
		if i+8 <= len(line) {
			word = binary.LittleEndian.Uint64(line[i:])
		} else {
			tail := [8]byte{t.delimiter + 1, t.delimiter + 1, t.delimiter + 1, t.delimiter + 1, t.delimiter + 1, t.delimiter + 1, t.delimiter + 1, t.delimiter + 1}
			copy(tail[:], line[i:])
			word = binary.LittleEndian.Uint64(tail[:])
		}
		x := word ^ pattern
		// The highest bit of each byte that is the delimiter.
		for found := ^((x&sevenBits + sevenBits) | x | sevenBits); found != 0; found &= found - 1 {
			end := i + bits.TrailingZeros64(found)>>3
			if c := &t.columns[col]; c.used {
				c.set(r, line[start:end], &t.clock)
			}
			start = end + 1
			if col++; col == len(t.columns) {
				return col
			}
		}
	}
	if c := &t.columns[col]; c.used {
		c.set(r, line[start:], &t.clock)
	}
	return col + 1
}

// fieldsOf returns the names of a #Fields header, between blanks or tabs.
func fieldsOf(header []byte) []string {
	return strings.Fields(string(header))
}

// A sampler decides which lines are looked through for what is not known, so
// that it costs next to nothing: the first hundred, then one in 64.
type sampler struct {
	n      uint
	report *Report
}

func (s *sampler) due() bool {
	s.n++
	return s.n <= 100 || s.n%64 == 0
}

// unknown notes a column or key that was seen.
func (s *sampler) unknown(name string) {
	if len(name) > maxValue {
		name = name[:maxValue]
	}
	if _, ok := s.report.Unknown[name]; ok || len(s.report.Unknown) < maxNamed {
		s.report.Unknown[name]++
	}
}
