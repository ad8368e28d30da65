package ledger

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"narthex"
)

// maxSelector bounds a selector's text and maxMatchers the matchers in it.
const (
	maxSelector = 64 << 10
	maxMatchers = 150
)

// Selector picks series, as a selector of PromQL does.
type Selector struct{ matchers []matcher }

type matcher struct {
	name, op, value string
	re              *regexp.Regexp // of =~ and !~
}

// ParseSelector reads a selector of PromQL, without a range or an offset:
// name{label="value",other=~"re.*"}, where = != =~ !~ may stand, or, for a name
// that needs quotes, {"the.name",label="value"}. Unlike PromQL it takes one that
// picks everything.
func ParseSelector(text string) (*Selector, error) {
	if len(text) > maxSelector {
		return nil, fmt.Errorf("a selector of %d bytes: %d is the limit", len(text), maxSelector)
	}
	p := &selectorParser{rest: strings.TrimSpace(text)}
	s := &Selector{}
	named := p.word(true)
	if named != "" {
		s.matchers = append(s.matchers, matcher{name: narthex.MetricName, op: "=", value: named})
	}
	p.space()
	if p.take("{") {
		for p.space(); !p.take("}"); p.space() {
			m, err := p.matcher()
			if err != nil {
				return nil, fmt.Errorf("selector %s: %w", clipText(text), err)
			}
			if m.name == narthex.MetricName {
				if named != "" {
					return nil, fmt.Errorf("selector %s: it has two names", clipText(text))
				}
				named = m.value
			}
			if s.matchers = append(s.matchers, m); len(s.matchers) > maxMatchers {
				return nil, fmt.Errorf("a selector of more than %d matchers", maxMatchers)
			}
			p.space()
			if !p.take(",") && !strings.HasPrefix(p.rest, "}") {
				return nil, fmt.Errorf("selector %s: want , or } before %s", clipText(text), clipText(p.rest))
			}
		}
	} else if named == "" {
		return nil, fmt.Errorf(`selector %s: want name{label="value"}`, clipText(text))
	}
	if p.space(); p.rest != "" {
		return nil, fmt.Errorf("selector %s: want its end before %s", clipText(text), clipText(p.rest))
	}
	return s, nil
}

// Matches reports whether the selector picks the series. A label that is not
// there is the same as an empty one.
func (s *Selector) Matches(ls narthex.Labels) bool {
	for i := range s.matchers {
		m := &s.matchers[i]
		v := ls.Get(m.name)
		matches := v == m.value
		if m.re != nil {
			matches = m.re.MatchString(v)
		}
		if matches == (m.op[0] == '!') {
			return false
		}
	}
	return true
}

// Series returns the one series that a selector of nothing but = names, as
// [narthex.Labels.String] writes it.
func (s *Selector) Series() (narthex.Labels, error) {
	var ls []narthex.Label
	for _, m := range s.matchers {
		if m.op != "=" {
			return nil, fmt.Errorf(`%s%s%q picks several series: name one, with all its labels, as narthex ledger list prints it`, m.name, m.op, m.value)
		}
		ls = append(ls, narthex.Label{Name: m.name, Value: m.value})
	}
	return narthex.NewLabels(ls...)
}

type selectorParser struct{ rest string }

func (p *selectorParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *selectorParser) take(token string) bool {
	rest, ok := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return ok
}

// word takes a name of the legacy set, "" if there is none.
func (p *selectorParser) word(colons bool) string {
	n := 0
	for ; n < len(p.rest); n++ {
		c := p.rest[n]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == ':' && colons
		if !letter && (n == 0 || c < '0' || c > '9') {
			break
		}
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

func (p *selectorParser) matcher() (m matcher, err error) {
	quoted := p.rest != "" && strings.IndexByte("\"'`", p.rest[0]) >= 0
	if quoted {
		if m.name, err = p.quoted(); err != nil {
			return m, err
		}
	} else if m.name = p.word(false); m.name == "" {
		return m, fmt.Errorf("want a label's name before %s", clipText(p.rest))
	}
	p.space()
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if p.take(op) {
			m.op = op
			break
		}
	}
	if m.op == "" && quoted { // the metric's name
		m.name, m.op, m.value = narthex.MetricName, "=", m.name
		return m, nil
	}
	if m.op == "" {
		return m, fmt.Errorf("want = != =~ or !~ before %s", clipText(p.rest))
	}
	p.space()
	if m.value, err = p.quoted(); err == nil && m.op[1:] == "~" {
		m.re, err = regexp.Compile("^(?s:" + m.value + ")$")
	}
	return m, err
}

// quoted takes a string in one of PromQL's three kinds of quotes.
func (p *selectorParser) quoted() (string, error) {
	if p.rest == "" || strings.IndexByte("\"'`", p.rest[0]) < 0 {
		return "", fmt.Errorf("want a string in quotes before %s", clipText(p.rest))
	}
	quote := p.rest[0]
	rest := p.rest[1:]
	if quote == '`' {
		text, after, ok := strings.Cut(rest, "`")
		if !ok {
			return "", errors.New("a string does not end")
		}
		p.rest = after
		return text, nil
	}
	var b []byte
	for {
		if rest == "" || rest[0] == '\n' {
			return "", errors.New("a string does not end")
		}
		if rest[0] == quote {
			p.rest = rest[1:]
			if !utf8.Valid(b) {
				return "", errors.New("a string is not UTF-8")
			}
			return string(b), nil
		}
		r, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", fmt.Errorf("what begins with %s is no string", clipText(rest))
		}
		if rest[0] != '\\' || multibyte {
			b = append(b, rest[:len(rest)-len(tail)]...)
			if rest[0] == '\\' {
				b = utf8.AppendRune(b[:len(b)-(len(rest)-len(tail))], r)
			}
		} else {
			b = append(b, byte(r))
		}
		rest = tail
	}
}

func clipText(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strconv.Quote(s)
}
