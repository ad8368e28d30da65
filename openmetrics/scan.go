package openmetrics

import (
	"slices"
	"strings"
	"unicode/utf8"

	"narthex"
)

// scanner reads the lines of a text format token by token.
type scanner struct {
	rest string // the lines that follow
	line int    // the number of the current line
	s    string // the current line, without its line feed
	i    int    // how much of it has been read
	// loose is text 0.0.4: tokens may have any blanks between them, and in a
	// label's value a backslash stands before \, n and " only.
	loose     bool
	maxLabels int
	labels    []narthex.Label // of the last label list, reused
}

func (sc *scanner) init(text string, loose bool, maxLabels int) error {
	sc.rest, sc.loose, sc.maxLabels = text, loose, maxLabels
	if utf8.ValidString(text) {
		return nil
	}
	for sc.next() && utf8.ValidString(sc.s) {
	}
	return sc.errorf("it is not UTF-8")
}

// next goes to the next line. There is none if the rest has no line feed.
func (sc *scanner) next() bool {
	end := strings.IndexByte(sc.rest, '\n')
	if end < 0 {
		return false
	}
	sc.s, sc.rest = sc.rest[:end], sc.rest[end+1:]
	sc.line++
	sc.i = 0
	return true
}

// errorf returns an error that says on which line it was found.
func (sc *scanner) errorf(format string, args ...any) error {
	return narthex.Errorf(narthex.Invalid, "line %d: "+format, append([]any{sc.line}, args...)...)
}

// wrap says of an error on which line it was found.
func (sc *scanner) wrap(err error) error {
	return narthex.Errorf(narthex.KindOf(err), "line %d: %w", sc.line, err)
}

// peek returns the next byte of the line, 0 at its end.
func (sc *scanner) peek() byte {
	if sc.i < len(sc.s) {
		return sc.s[sc.i]
	}
	return 0
}

// blanks skips spaces and tabs.
func (sc *scanner) blanks() {
	for sc.i < len(sc.s) && (sc.s[sc.i] == ' ' || sc.s[sc.i] == '\t') {
		sc.i++
	}
}

// gap skips what may stand between two tokens.
func (sc *scanner) gap() {
	if sc.loose {
		sc.blanks()
	}
}

// end reports whether the line has been read.
func (sc *scanner) end() bool {
	sc.gap()
	return sc.i == len(sc.s)
}

// token reads up to the next blank and returns "" if there is nothing. In
// OpenMetrics there is exactly one space before a token.
func (sc *scanner) token() string {
	if sc.loose {
		sc.blanks()
	} else if sc.peek() == ' ' {
		sc.i++
	} else {
		return ""
	}
	start := sc.i
	for sc.i < len(sc.s) && sc.s[sc.i] != ' ' && (sc.s[sc.i] != '\t' || !sc.loose) {
		sc.i++
	}
	return sc.s[start:sc.i]
}

// value reads a sample's or an exemplar's value.
func (sc *scanner) value() (float64, error) {
	word := sc.token()
	if word == "" {
		return 0, sc.errorf("want a value, found %q", clip(sc.s[sc.i:]))
	}
	f, err := parseFloat(word)
	if err != nil {
		return 0, sc.wrap(err)
	}
	return f, nil
}

// word reads a name of the legacy set and returns "" if there is none.
func (sc *scanner) word(colons bool) string {
	start := sc.i
	for sc.i < len(sc.s) && wordByte(sc.s[sc.i], sc.i > start, colons) {
		sc.i++
	}
	return sc.s[start:sc.i]
}

// wordByte reports whether a name of the legacy set may have c in it.
func wordByte(c byte, digit, colon bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		return true
	case '0' <= c && c <= '9':
		return digit
	}
	return c == ':' && colon
}

// legacy reports whether s is a name of the legacy set.
func legacy(s string, colons bool) bool {
	for i := range len(s) {
		if !wordByte(s[i], i > 0, colons) {
			return false
		}
	}
	return s != ""
}

// series reads a series: a name, a label list, or both. The labels are in
// sc.labels, fit to be narthex.Labels.
func (sc *scanner) series() (name string, err error) {
	sc.labels = sc.labels[:0]
	name = sc.word(true)
	if name == "" && sc.peek() != '{' {
		return "", sc.errorf("want a metric's name, found %q", clip(sc.s[sc.i:]))
	}
	sc.gap()
	if sc.peek() == '{' {
		if name, err = sc.labelList(name, true); err != nil {
			return "", err
		}
	}
	if name == "" {
		return "", sc.errorf("a sample has no metric name")
	}
	return name, nil
}

// labelList reads {name="value",...}. With named set, one of the items may be
// a quoted string alone: the metric's name.
func (sc *scanner) labelList(metric string, named bool) (string, error) {
	sc.labels = sc.labels[:0]
	sc.i++ // {
	for {
		if sc.gap(); sc.peek() == '}' {
			sc.i++
			return metric, sc.canonical()
		}
		quoted := sc.peek() == '"'
		name, err := sc.labelName(quoted)
		if err != nil {
			return "", err
		}
		sc.gap()
		if c := sc.peek(); quoted && named && (c == ',' || c == '}') {
			if metric != "" {
				return "", sc.errorf("a second metric name, %q, follows %q", clip(name), clip(metric))
			}
			metric = name
		} else if err := sc.labelValue(name); err != nil {
			return "", err
		}
		switch sc.gap(); sc.peek() {
		case ',':
			sc.i++
		case '}':
		default:
			return "", sc.errorf("want , or } after %q in the labels, found %q", clip(name), clip(sc.s[sc.i:]))
		}
	}
}

func (sc *scanner) labelName(quoted bool) (name string, err error) {
	if !quoted {
		if name = sc.word(false); name == "" {
			return "", sc.errorf("want a label's name or }, found %q", clip(sc.s[sc.i:]))
		}
		return name, nil
	}
	if name, err = sc.quoted(); err != nil {
		return "", err
	}
	if name == "" {
		return "", sc.errorf("a name is empty")
	}
	return name, nil
}

// labelValue reads ="value" and adds the label.
func (sc *scanner) labelValue(name string) error {
	if sc.peek() != '=' {
		return sc.errorf("want = after label %q, found %q", clip(name), clip(sc.s[sc.i:]))
	}
	sc.i++
	if sc.gap(); sc.peek() != '"' {
		return sc.errorf("label %q: want a quoted value, found %q", clip(name), clip(sc.s[sc.i:]))
	}
	value, err := sc.quoted()
	if err != nil {
		return err
	}
	if name == narthex.MetricName {
		return sc.errorf("the label __name__ is reserved: write the name before the labels")
	}
	if len(sc.labels) >= sc.maxLabels {
		return sc.wrap(narthex.Errorf(narthex.TooLarge, "a series has more than %d labels", sc.maxLabels))
	}
	sc.labels = append(sc.labels, narthex.Label{Name: name, Value: value})
	return nil
}

// quoted reads a string in double quotes.
func (sc *scanner) quoted() (string, error) {
	start := sc.i + 1
	for i := start; i < len(sc.s); i++ {
		switch sc.s[i] {
		case '"':
			sc.i = i + 1
			return sc.s[start:i], nil
		case '\\':
			return sc.escaped(start, i)
		}
	}
	return "", sc.errorf("the string %q has no end", clip(sc.s[start:]))
}

// escaped reads the rest of a string whose first backslash is at i.
func (sc *scanner) escaped(start, i int) (string, error) {
	out := append(make([]byte, 0, len(sc.s)-start), sc.s[start:i]...)
	for ; i < len(sc.s); i++ {
		c := sc.s[i]
		if c == '"' {
			sc.i = i + 1
			return string(out), nil
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if i++; i == len(sc.s) {
			break
		}
		switch c = sc.s[i]; {
		case c == 'n':
			out = append(out, '\n')
		case c == '\\' || c == '"':
			out = append(out, c)
		case sc.loose:
			return "", sc.errorf(`unknown escape in %q: write \\ for a backslash`, clip(sc.s[i-1:]))
		default: // OpenMetrics: a backslash before another character is itself
			out = append(out, '\\', c)
		}
	}
	return "", sc.errorf("the string %q has no end", clip(sc.s[start:]))
}

// canonical makes sc.labels fit to be narthex.Labels.
func (sc *scanner) canonical() error {
	name, ok := canonical(&sc.labels)
	if !ok {
		return sc.errorf("label %q is given twice", clip(name))
	}
	return nil
}

// canonical sorts labels and drops those without a value. If a name occurs
// twice it returns that name and false.
func canonical(labels *[]narthex.Label) (string, bool) {
	ls, sorted, empty := *labels, true, false
	for i := range ls {
		sorted = sorted && (i == 0 || ls[i-1].Name < ls[i].Name)
		empty = empty || ls[i].Value == ""
	}
	if !sorted {
		slices.SortFunc(ls, func(a, b narthex.Label) int { return strings.Compare(a.Name, b.Name) })
		for i := 1; i < len(ls); i++ {
			if ls[i].Name == ls[i-1].Name {
				return ls[i].Name, false
			}
		}
	}
	if empty {
		*labels = slices.DeleteFunc(ls, func(l narthex.Label) bool { return l.Value == "" })
	}
	return "", true
}

// take removes the label from labels and returns its value.
func take(labels *[]narthex.Label, name string) (string, bool) {
	for i, l := range *labels {
		if l.Name == name {
			*labels = append((*labels)[:i], (*labels)[i+1:]...)
			return l.Value, true
		}
	}
	return "", false
}
