package openmetrics

import (
	"strings"

	"narthex"
)

// omParser reads OpenMetrics text 1.0.
// Source: "OpenMetrics 1.0", sections "Overall Structure" and "Metric types".
type omParser struct {
	scanner
	*builder
	block omBlock
	in    bool // in a block
	ended int  // the line of the last sample
}

// omBlock is the family that is being read. Its type is not known before the
// first sample, and so its name isn't either: OpenMetrics leaves _total and
// _info out of the metadata.
type omBlock struct {
	base                  string // the name that the metadata has
	typ                   narthex.Type
	help, unit            string
	helped, typed, united bool
	entered               bool // it has samples, and is the builder's current family
}

func parseOpenMetrics(text string, limits Limits) ([]Family, error) {
	p := omParser{builder: newBuilder(limits)}
	if strings.HasSuffix(text, "# EOF") { // the line feed behind it may be missing
		text += "\n"
	}
	if err := p.init(text, false, p.limits.Labels); err != nil {
		return nil, err
	}
	for p.next() {
		if p.s == "# EOF" {
			if p.rest != "" {
				p.line++
				return nil, p.errorf("there is text after # EOF")
			}
			if err := p.close(); err != nil {
				return nil, err
			}
			return p.result()
		}
		if err := p.readLine(); err != nil {
			return nil, err
		}
	}
	p.line++
	return nil, p.errorf("the text does not end with # EOF: was it cut off?")
}

func (p *omParser) readLine() error {
	if p.peek() != '#' {
		return p.sample()
	}
	p.i++
	switch keyword := p.token(); keyword {
	case "HELP", "TYPE", "UNIT":
		return p.metadata(keyword)
	}
	return p.errorf("want # HELP, # TYPE, # UNIT or # EOF: OpenMetrics has no comments")
}

func (p *omParser) metadata(keyword string) error {
	if p.peek() != ' ' {
		return p.errorf("%s: want a space and a metric's name", keyword)
	}
	p.i++
	name, err := p.metricName()
	if err != nil {
		return err
	}
	if p.peek() != ' ' {
		return p.errorf("%s: want a space after the metric's name %q, found %q", keyword, clip(name), clip(p.s[p.i:]))
	}
	if !p.in || p.block.entered || p.block.base != name {
		if err := p.close(); err != nil {
			return err
		}
		p.block, p.in = omBlock{base: name}, true
	}
	text, given := p.s[p.i+1:], &p.block.helped
	switch keyword {
	case "HELP":
		p.block.help = unescapeHelp(text, true)
	case "UNIT":
		given, p.block.unit = &p.block.united, text
	case "TYPE":
		given = &p.block.typed
		if p.block.typ, err = typeOf(text); err != nil {
			return p.errorf("metric %q: %w", clip(name), err)
		}
	}
	if *given {
		return p.errorf("metric %q has a second %s", clip(name), keyword)
	}
	*given = true
	return nil
}

// typeOf returns the type that OpenMetrics calls so.
func typeOf(word string) (narthex.Type, error) {
	for t := narthex.TypeUnknown; t <= narthex.TypeStateSet; t++ {
		if t.String() == word {
			return t, nil
		}
	}
	return 0, narthex.Errorf(narthex.Invalid, "%q is not a type of OpenMetrics", clip(word))
}

// close ends the current block.
func (p *omParser) close() error {
	if !p.in {
		return nil
	}
	if !p.block.entered {
		if err := p.begin(); err != nil {
			p.line--
			return p.wrap(err)
		}
	}
	p.in = false
	if err := p.leave(true); err != nil {
		p.line = p.ended
		return p.wrap(err)
	}
	return nil
}

// begin makes the block, whose metadata is complete, the current family.
func (p *omParser) begin() error {
	blk := &p.block
	blk.entered = true
	f := Family{Name: blk.base, Type: blk.typ, Help: blk.help, Unit: blk.unit}
	switch blk.typ {
	case narthex.TypeCounter:
		f.Name += "_total"
	case narthex.TypeInfo:
		f.Name += "_info"
	}
	if _, known := p.names[f.Name]; known {
		return narthex.Errorf(narthex.Invalid, "metric %q has been there before: all lines of a metric must stand together", clip(f.Name))
	}
	if blk.unit != "" {
		if blk.typ == narthex.TypeInfo || blk.typ == narthex.TypeStateSet {
			return narthex.Errorf(narthex.Invalid, "%s %q has a unit", blk.typ, clip(blk.base))
		}
		if !hasUnit(blk.base, blk.unit) {
			return narthex.Errorf(narthex.Invalid, "metric %q has the unit %q: its name must end with _ and the unit", clip(blk.base), clip(blk.unit))
		}
	}
	i, err := p.family(f)
	if err == nil {
		p.enter(i)
	}
	return err
}

// hasUnit reports whether a family's name ends with its unit.
func hasUnit(base, unit string) bool {
	rest, ok := strings.CutSuffix(base, unit)
	return ok && strings.HasSuffix(rest, "_")
}

// sample reads a sample's line.
func (p *omParser) sample() error {
	name, err := p.series()
	if err != nil {
		return err
	}
	r, err := p.resolve(name)
	if err != nil {
		return err
	}
	p.ended = p.line
	value, err := p.value()
	if err != nil {
		return err
	}
	time, err := p.time()
	if err != nil {
		return err
	}
	if err := p.spend(1, len(p.labels)); err != nil {
		return p.wrap(err)
	}
	at, err := p.bound(r, p.block.typ)
	if err != nil {
		return p.wrap(err)
	}
	metric, err := p.metric(r, time)
	if err != nil {
		return p.wrap(err)
	}
	if err := p.put(metric, r, at, value); err != nil {
		return p.wrap(err)
	}
	if !p.end() {
		return p.exemplar(metric, r, at)
	}
	return nil
}

// time reads the time of a sample or an exemplar, if there is one.
func (p *omParser) time() (int64, error) {
	if p.end() || strings.HasPrefix(p.s[p.i:], " # {") {
		return 0, nil
	}
	ms, err := parseSeconds(p.token())
	if err != nil {
		return 0, p.errorf("time: %w", err)
	}
	return ms, nil
}

// resolve finds what a sample is to the current family by its name. A sample
// that isn't of that family begins one of its own.
func (p *omParser) resolve(name string) (role, error) {
	if p.in {
		if r := p.block.role(name); r != 0 {
			if p.block.entered {
				return r, nil
			}
			return r, p.located(p.begin())
		}
		if name == p.block.base {
			return 0, p.errorf("the %s %q has a sample of that name: want a suffix such as %s", p.block.typ, clip(name), p.block.suffix())
		}
	}
	if err := p.close(); err != nil {
		return 0, err
	}
	p.block, p.in = omBlock{base: name}, true
	return asValue, p.located(p.begin())
}

func (p *omParser) located(err error) error {
	if err != nil {
		return p.wrap(err)
	}
	return nil
}

// suffix returns one that the samples of the block may have.
func (blk *omBlock) suffix() string {
	switch blk.typ {
	case narthex.TypeCounter:
		return "_total"
	case narthex.TypeInfo:
		return "_info"
	}
	return "_bucket"
}

// role returns what a sample of the name is to the block, 0 if it isn't of it.
func (blk *omBlock) role(name string) role {
	suffix, ok := strings.CutPrefix(name, blk.base)
	if !ok {
		return 0
	}
	distribution := blk.typ == narthex.TypeHistogram || blk.typ == narthex.TypeSummary
	switch suffix {
	case "":
		switch blk.typ {
		case narthex.TypeUnknown, narthex.TypeGauge, narthex.TypeStateSet:
			return asValue
		case narthex.TypeSummary:
			return asQuantile
		}
	case "_total":
		return only(blk.typ == narthex.TypeCounter, asValue)
	case "_info":
		return only(blk.typ == narthex.TypeInfo, asValue)
	case "_bucket":
		return only(blk.typ == narthex.TypeHistogram || blk.typ == narthex.TypeGaugeHistogram, asBucket)
	case "_count":
		return only(distribution, asCount)
	case "_sum":
		return only(distribution, asSum)
	case "_gcount":
		return only(blk.typ == narthex.TypeGaugeHistogram, asCount)
	case "_gsum":
		return only(blk.typ == narthex.TypeGaugeHistogram, asSum)
	case "_created":
		return only(distribution || blk.typ == narthex.TypeCounter, asCreated)
	}
	return 0
}

// only returns r if ok, else 0.
func only(ok bool, r role) role {
	if ok {
		return r
	}
	return 0
}
