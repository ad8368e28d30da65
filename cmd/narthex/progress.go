package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress tells a terminal how far something is that takes long, and when it will
// be done: a bar that is drawn anew, or, where nobody looks, a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	total    int64 // 0 if it is not known
	unit     func(n int64) string
	now      func() time.Time

	began, drawn time.Time
	done         int64
}

// The time between two drawings, and between two lines.
const (
	drawEvery = 100 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

func newProgress(w io.Writer, total int64, unit func(int64) string) *progress {
	f, ok := w.(*os.File)
	if ok {
		info, err := f.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	p := &progress{w: w, terminal: ok, total: total, unit: unit, now: time.Now}
	p.began = p.now()
	p.drawn = p.began
	return p
}

// add says that n more is done.
func (p *progress) add(n int64) {
	p.done += n
	now, every := p.now(), lineEvery
	if p.terminal {
		every = drawEvery
	}
	if now.Sub(p.drawn) < every {
		return
	}
	p.drawn = now
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", p.line(now))
	} else {
		fmt.Fprintln(p.w, p.line(now))
	}
}

// end removes the bar.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// line is what is shown.
func (p *progress) line(now time.Time) string {
	took := now.Sub(p.began)
	if p.total <= 0 || p.done > p.total {
		return fmt.Sprintf("%s in %s", p.unit(p.done), took.Round(time.Second))
	}
	share := float64(p.done) / float64(p.total)
	full := int(share * barWidth)
	text := fmt.Sprintf("[%s%s] %3.0f %%  %s of %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*share, p.unit(p.done), p.unit(p.total))
	if p.done > 0 && took > time.Second {
		left := time.Duration(float64(took) * (1 - share) / share)
		text += fmt.Sprintf("  %s left, done at %s", left.Round(time.Second), now.Add(left).Format("15:04:05"))
	}
	return text
}

// megabytes writes a size.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// counting tells a progress what is read.
type counting struct {
	r io.Reader
	p *progress
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.p.add(int64(n))
	return n, err
}
