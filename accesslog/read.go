package accesslog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"narthex"
)

// bufferSize is how much of a log is held at once, as long as lines fit.
const bufferSize = 256 << 10

// A reading is a log on its way to counts.
type reading struct {
	r       *Reader
	name    string
	counts  *Counts
	counter *counter
	parser  parser
	req     request
	part    func(*Counts) error // takes what was counted so far; may be nil
	line    int64               // that is being read, from 1
	guesses int                 // lines that no format was found for
}

// maxGuesses is how many lines at a log's beginning may be of no known format.
const maxGuesses = 100

// Read reads a log to its end and returns what it came to. The name, such as
// an object's key, helps to tell formats apart and stands in errors.
//
// An error means that nothing is to be counted: of kind Invalid, that it will
// come back; any other (what src.Read returned, a log that is cut off) that
// another try may do better.
func (r *Reader) Read(ctx context.Context, name string, src io.Reader) (*Counts, error) {
	return r.ReadParts(ctx, name, src, nil)
}

// ReadParts is Read for logs with more minutes, each counted by itself, than can
// be held: part takes what was counted whenever that is much, and must not keep it.
// What it returns is what was counted since, with the report on all. After an
// error nothing of what part took is to be counted.
func (r *Reader) ReadParts(ctx context.Context, name string, src io.Reader, part func(*Counts) error) (*Counts, error) {
	if err := refuse(name); err != nil {
		return nil, err
	}
	counts := r.newCounts()
	rd := &reading{r: r, name: name, counts: counts, counter: r.newCounter(counts), part: part}
	rd.req.extra = make([][]byte, len(r.plan.columns))
	in := &counted{ctx: ctx, r: src}
	body, err := r.decompress(in)
	if err == nil {
		err = rd.lines(body)
	}
	if err == nil {
		err = rd.finish()
	}
	if counts.Report.Bytes = in.n; err != nil {
		if narthex.KindOf(err) != 0 {
			return nil, err
		}
		return nil, fmt.Errorf("%s, after %d lines: %w", name, rd.line, err)
	}
	return counts, nil
}

// counted counts what it passes on, until the context ends.
type counted struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (c *counted) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// lines passes each line on.
func (rd *reading) lines(body blocks) error {
	for keep, skipping := 0, false; ; {
		b, err := body.Next(keep)
		rd.counts.Report.RawBytes += int64(len(b) - keep)
		switch {
		case err == io.EOF && len(b) > 0 && !skipping:
			return rd.take(b)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		used, err := rd.block(b, &skipping)
		if err != nil {
			return err
		}
		switch keep = len(b) - used; {
		case skipping:
			keep = 0
		case keep > rd.r.options.MaxLine:
			rd.line++
			rd.reject(tooLong, b[used:])
			keep, skipping = 0, true
		}
	}
}

// block passes the whole lines of b on and returns how much of b they are.
func (rd *reading) block(b []byte, skipping *bool) (int, error) {
	used := 0
	for {
		end := bytes.IndexByte(b[used:], '\n')
		if end < 0 {
			return used, nil
		}
		line := b[used : used+end]
		used += end + 1
		if *skipping {
			*skipping = false
			continue
		}
		if err := rd.take(line); err != nil {
			return used, err
		}
	}
}

// take reads a line.
func (rd *reading) take(line []byte) error {
	rd.line++
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > rd.r.options.MaxLine {
		rd.reject(tooLong, line)
		return nil
	}
	if len(line) == 0 || len(bytes.TrimSpace(line)) == 0 {
		rd.counts.Report.Ignored++
		return nil
	}
	if line[0] == '#' {
		rd.counts.Report.Ignored++
		return rd.header(line)
	}
	if rd.parser == nil {
		if found, err := rd.choose(line); !found {
			return err
		}
	}
	if rd.part != nil && rd.counts.crowded() {
		if err := rd.handOver(); err != nil {
			return err
		}
	}
	for line != nil {
		rest, why := rd.one(line)
		switch why {
		case fine:
		case ignored:
			rd.counts.Report.Ignored++
		default:
			rd.reject(why, line)
		}
		line = rest
	}
	return nil
}

// one reads a line, or an object of those in it.
func (rd *reading) one(line []byte) ([]byte, reason) {
	rd.req.reset()
	rest, why := rd.parser.parse(line, &rd.req)
	if why != fine {
		return rest, why
	}
	rep := &rd.counts.Report
	if rd.req.foreign != nil {
		if why := rd.counts.take(rd.req.foreign, rd.r.maxSeries); why != fine {
			return rest, why
		}
	}
	rep.Lines++
	rep.Counted++
	rd.counter.count(&rd.req)
	return rest, fine
}

// handOver gives what was counted so far to whoever takes it in parts.
func (rd *reading) handOver() error {
	rd.counter.finish()
	if err := rd.part(rd.counts); err != nil {
		return err
	}
	fresh := rd.r.newCounts()
	rd.counts.tables, rd.counts.foreign = fresh.tables, fresh.foreign
	rd.counter = rd.r.newCounter(rd.counts)
	return nil
}

// reject counts a line that can't be read.
func (rd *reading) reject(why reason, line []byte) {
	rep := &rd.counts.Report
	rep.Lines++
	rep.Rejected++
	rep.Reasons[reasonText[why]]++
	if len(rep.Examples) < maxExamples {
		text := strings.ToValidUTF8(string(line[:min(len(line), maxExample)]), "\uFFFD")
		rep.Examples = append(rep.Examples, Example{Line: rd.line, Reason: reasonText[why], Text: text})
	}
}

// header reads a line that begins with #. Only #Fields says anything.
func (rd *reading) header(line []byte) error {
	names, ok := bytes.CutPrefix(line, []byte("#Fields:"))
	if !ok {
		return nil
	}
	if f := rd.r.options.Format; f != "" && f != formatCloudFront && f != formatRealtime {
		return nil
	}
	p, err := newTabbed(fieldsOf(names), &rd.r.options, &rd.r.plan, &rd.counts.Report)
	if err != nil {
		return fmt.Errorf("%s: %w", rd.name, err)
	}
	rd.parser = p
	rd.counts.Report.Format, rd.counts.Report.Header = formatCloudFront, string(line)
	return nil
}

// choose finds the parser of a log by a line.
func (rd *reading) choose(line []byte) (found bool, err error) {
	format := rd.r.options.Format
	if format == "" {
		format = rd.r.detect(rd.name, line)
	}
	if format != "" {
		rd.parser, err = rd.r.parser(format, rd.name, &rd.counts.Report)
		rd.counts.Report.Format = format
		return err == nil, err
	}
	if rd.guesses++; rd.guesses > maxGuesses {
		return false, rd.unknown()
	}
	rd.reject(notKnown, line)
	return false, nil
}

// unknown returns the error for a log of no known format.
func (rd *reading) unknown() error {
	example := ""
	if e := rd.counts.Report.Examples; len(e) > 0 {
		example = e[0].Text
	}
	all := ""
	for _, e := range rd.counts.Report.Examples {
		all += e.Text
	}
	if what := foreignName(all); what != "" {
		return narthex.Errorf(narthex.Invalid, "%s: this is %s", rd.name, what)
	}
	if len(example) > 100 {
		example = example[:100] + "…"
	}
	return narthex.Errorf(narthex.Invalid, "%s: the log is of no format known here; it begins with %q: set format (%s), fields for tab-separated logs without a header, or mapping for JSON lines",
		rd.name, example, strings.Join(Formats(), ", "))
}

// finish ends a reading that came to the end of the log.
func (rd *reading) finish() error {
	rep := &rd.counts.Report
	if rd.parser == nil && rep.Lines > 0 {
		return rd.unknown()
	}
	switch p := rd.parser.(type) {
	case *objects:
		p.finish(rep)
	case *either:
		p.objects.finish(rep)
	}
	rd.counter.finish()
	return nil
}
