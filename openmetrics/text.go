package openmetrics

import (
	"strconv"
	"strings"

	"narthex"
)

// textParser reads text 0.0.4.
// Source: "Exposition formats", section "Text-based format".
type textParser struct {
	scanner
	*builder
	status []textStatus // of the families

	name   string // the last sample's name,
	target int    // the family it belongs to
	role   role   // and what it is to it
	ended  int    // the line of the last sample
}

// textStatus is what has been read of a family.
type textStatus struct{ typed, helped, closed bool }

func parseText(text string, limits Limits) ([]Family, error) {
	p := textParser{builder: newBuilder(limits)}
	if err := p.init(text, true, p.limits.Labels); err != nil {
		return nil, err
	}
	for p.next() {
		if err := p.readLine(); err != nil {
			return nil, err
		}
	}
	if strings.Trim(p.rest, " \t") != "" {
		p.line++
		return nil, p.errorf("the last line has no line feed at its end: was the text cut off?")
	}
	if err := p.close(); err != nil {
		return nil, err
	}
	return p.result()
}

// close ends the current family.
func (p *textParser) close() error {
	if p.cur < 0 {
		return nil
	}
	p.status[p.cur].closed = true
	if err := p.leave(false); err != nil {
		p.line = p.ended
		return p.wrap(err)
	}
	return nil
}

func (p *textParser) readLine() error {
	p.blanks()
	switch p.peek() {
	case 0:
		if p.i == len(p.s) {
			return nil
		}
	case '#':
		p.i++
		return p.comment()
	}
	return p.sample()
}

// comment reads what stands behind a #: metadata, or anything.
func (p *textParser) comment() error {
	keyword := p.token()
	if keyword != "HELP" && keyword != "TYPE" || p.i == len(p.s) {
		return nil
	}
	p.blanks()
	name, err := p.metricName()
	if err != nil {
		return err
	}
	if p.i < len(p.s) && p.s[p.i] != ' ' && p.s[p.i] != '\t' {
		return p.errorf("%s: want a blank after the metric's name %q, found %q", keyword, clip(name), clip(p.s[p.i:]))
	}
	p.blanks()
	f, known := p.names[name]
	if !known {
		if f, err = p.newFamily(name); err != nil {
			return err
		}
	}
	p.name = "" // what it belongs to may change
	if keyword == "HELP" {
		return p.help(f, p.s[p.i:])
	}
	return p.typ(f, strings.TrimRight(p.s[p.i:], " \t"))
}

// metricName reads a name in metadata, quoted or not.
func (sc *scanner) metricName() (string, error) {
	if sc.peek() == '"' {
		return sc.labelName(true)
	}
	if name := sc.word(true); name != "" {
		return name, nil
	}
	return "", sc.errorf("want a metric's name, found %q", clip(sc.s[sc.i:]))
}

func (p *textParser) newFamily(name string) (int, error) {
	f, err := p.family(Family{Name: name})
	if err != nil {
		return 0, p.wrap(err)
	}
	p.status = append(p.status, textStatus{})
	return f, nil
}

func (p *textParser) help(f int, text string) error {
	if p.status[f].helped {
		return p.errorf("metric %q has a second HELP", clip(p.families[f].Name))
	}
	p.status[f].helped = true
	p.families[f].Help = unescapeHelp(text, false)
	return nil
}

// unescapeHelp undoes the escapes of a help text: \\, \n, and in OpenMetrics
// \". Before anything else a backslash is itself.
func unescapeHelp(s string, quotes bool) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			switch next := s[i+1]; {
			case next == 'n':
				c, i = '\n', i+1
			case next == '\\', next == '"' && quotes:
				c, i = next, i+1
			}
		}
		out = append(out, c)
	}
	return string(out)
}

func (p *textParser) typ(f int, word string) error {
	fam := &p.families[f]
	if p.status[f].typed {
		return p.errorf("metric %q has a second TYPE", clip(fam.Name))
	}
	if len(fam.Metrics) > 0 {
		return p.errorf("metric %q has its TYPE after its first sample", clip(fam.Name))
	}
	p.status[f].typed = true
	switch {
	case strings.EqualFold(word, "counter"):
		fam.Type = narthex.TypeCounter
	case strings.EqualFold(word, "gauge"):
		fam.Type = narthex.TypeGauge
	case strings.EqualFold(word, "histogram"):
		fam.Type = narthex.TypeHistogram
	case strings.EqualFold(word, "summary"):
		fam.Type = narthex.TypeSummary
	case strings.EqualFold(word, "untyped"):
	default:
		return p.errorf("metric %q has the type %q: text 0.0.4 has counter, gauge, histogram, summary and untyped", clip(fam.Name), clip(word))
	}
	return nil
}

// sample reads a sample's line.
func (p *textParser) sample() error {
	name, err := p.series()
	if err != nil {
		return err
	}
	if err := p.resolve(name); err != nil {
		return err
	}
	value, err := p.value()
	if err != nil {
		return err
	}
	time := int64(0)
	if word := p.token(); word != "" {
		if time, err = strconv.ParseInt(word, 10, 64); err != nil {
			return p.errorf("want a time in milliseconds, found %q", clip(word))
		}
	}
	if !p.end() {
		return p.errorf("found %q after the sample", clip(p.s[p.i:]))
	}
	p.ended = p.line
	if err := p.spend(1, len(p.labels)); err != nil {
		return p.wrap(err)
	}
	if err := p.put(value, time); err != nil {
		return p.wrap(err)
	}
	return nil
}

// resolve finds the family that a sample belongs to by its name, and makes it
// the current one.
func (p *textParser) resolve(name string) (err error) {
	if name != p.name {
		if p.target, p.role, err = p.owner(name); err != nil {
			return err
		}
		p.name = name
	}
	if p.target == p.cur {
		return nil
	}
	if err := p.close(); err != nil {
		return err
	}
	if p.status[p.target].closed {
		return p.errorf("metric %q goes on after another one: all lines of a metric must stand together", clip(p.families[p.target].Name))
	}
	p.enter(p.target)
	return nil
}

// owner returns the family that a series of the name belongs to.
func (p *textParser) owner(name string) (f int, r role, err error) {
	if f, ok := p.names[name]; ok {
		switch p.families[f].Type {
		case narthex.TypeSummary:
			return f, asQuantile, nil
		case narthex.TypeHistogram:
			return 0, 0, p.errorf("histogram %q has a sample of that name: want %s_bucket, %s_sum or %s_count", clip(name), clip(name), clip(name), clip(name))
		}
		return f, asValue, nil
	}
	if base, r := cutRole(name); r != 0 {
		if f, ok := p.names[base]; ok {
			t := p.families[f].Type
			if t == narthex.TypeHistogram || t == narthex.TypeSummary && r != asBucket {
				return f, r, nil
			}
		}
	}
	f, err = p.newFamily(name)
	return f, asValue, err
}

// cutRole splits the suffix of a distribution's series off a name.
func cutRole(name string) (string, role) {
	if base, ok := strings.CutSuffix(name, "_bucket"); ok {
		return base, asBucket
	}
	if base, ok := strings.CutSuffix(name, "_sum"); ok {
		return base, asSum
	}
	if base, ok := strings.CutSuffix(name, "_count"); ok {
		return base, asCount
	}
	return "", 0
}

// put gives the sample to its metric.
func (p *textParser) put(value float64, time int64) error {
	at, err := p.bound(p.role, p.families[p.cur].Type)
	if err != nil {
		return err
	}
	metric := p.find(p.labels)
	if metric < 0 {
		p.add(p.labels).Time = time
		metric = len(p.open) - 1
	} else if m := &p.families[p.cur].Metrics[metric]; m.Time != time && p.role != asValue {
		return narthex.Errorf(narthex.Invalid, "%s has samples of different times", p.describe(metric))
	}
	return p.set(metric, p.role, at, value)
}

// bound takes le or quantile, where the role needs it, from the labels.
func (sc *scanner) bound(r role, t narthex.Type) (float64, error) {
	label := ""
	switch t {
	case narthex.TypeHistogram, narthex.TypeGaugeHistogram:
		label = "le"
	case narthex.TypeSummary:
		label = "quantile"
	default:
		return 0, nil
	}
	word, given := take(&sc.labels, label)
	if want := r == asBucket || r == asQuantile; given != want {
		if want {
			return 0, narthex.Errorf(narthex.Invalid, "the %s has a sample that needs the label %s and has none", t, label)
		}
		return 0, narthex.Errorf(narthex.Invalid, "the %s has the label %s where it is reserved", t, label)
	}
	if !given {
		return 0, nil
	}
	at, err := parseFloat(word)
	if err != nil {
		return 0, narthex.Errorf(narthex.Invalid, "label %s: %w", label, err)
	}
	return at, nil
}

// set gives a sample to a metric of the current family.
func (b *builder) set(metric int, r role, at, value float64) error {
	switch r {
	case asBucket:
		return b.bucket(metric, at, value)
	case asQuantile:
		return b.quantile(metric, at, value)
	case asSum:
		return b.sum(metric, value)
	case asCount:
		return b.count(metric, value)
	}
	b.families[b.cur].Metrics[metric].Value = value
	return b.once(metric, asValue)
}
