package narthex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MetricName is the label that holds a series' metric name.
const MetricName = "__name__"

// Label is a name and a value.
type Label struct{ Name, Value string }

// Labels identify a series. They are sorted by name, without duplicate names
// and without empty values; [NewLabels] makes them so.
type Labels []Label

// NewLabels returns ls sorted and without empty values (an empty value is the
// same as no label at all). It takes ls over. A name that occurs twice is an
// error.
func NewLabels(ls ...Label) (Labels, error) {
	out := Labels(slices.DeleteFunc(ls, func(l Label) bool { return l.Value == "" }))
	slices.SortFunc(out, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(out); i++ {
		if out[i].Name == out[i-1].Name {
			return nil, fmt.Errorf("label %q is given twice", out[i].Name)
		}
	}
	return out, nil
}

// Get returns the value of the label, or "" if there is none.
func (ls Labels) Get(name string) string {
	for _, l := range ls {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// With returns a copy of ls with the label set to value.
func (ls Labels) With(name, value string) Labels {
	out := make(Labels, 0, len(ls)+1)
	done := value == ""
	for _, l := range ls {
		if !done && name <= l.Name {
			out = append(out, Label{name, value})
			done = true
		}
		if l.Name != name {
			out = append(out, l)
		}
	}
	if !done {
		out = append(out, Label{name, value})
	}
	return out
}

// String returns the labels as the exposition format writes them:
// name{label="value"}; a name outside the legacy set is quoted inside the
// braces.
func (ls Labels) String() string {
	name := ls.Get(MetricName)
	var b strings.Builder
	plain := legacyName(name, true)
	if plain {
		b.WriteString(name)
	}
	if plain && len(ls) == 1 {
		return b.String()
	}
	b.WriteByte('{')
	sep := ""
	if !plain && name != "" {
		b.WriteString(strconv.Quote(name))
		sep = ","
	}
	for _, l := range ls {
		if l.Name == MetricName {
			continue
		}
		b.WriteString(sep)
		if sep = ","; legacyName(l.Name, false) {
			b.WriteString(l.Name)
		} else {
			b.WriteString(strconv.Quote(l.Name))
		}
		b.WriteByte('=')
		b.WriteString(strconv.Quote(l.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// AppendKey appends to dst a string of bytes that no other labels have: each
// name and value behind its length as an unsigned varint.
func (ls Labels) AppendKey(dst []byte) []byte {
	for i := range ls {
		dst = append(appendLength(dst, len(ls[i].Name)), ls[i].Name...)
		dst = append(appendLength(dst, len(ls[i].Value)), ls[i].Value...)
	}
	return dst
}

// appendLength appends an unsigned varint, most often of one byte.
func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

// ParseKey returns the labels that [Labels.AppendKey] made key of. The names
// and values share key's memory.
func ParseKey(key string) (Labels, error) {
	if key == "" {
		return nil, nil
	}
	fields := 0
	for rest, ok := key, true; ok && rest != ""; fields++ {
		_, rest, ok = cutKey(rest)
	}
	ls := make(Labels, 0, fields/2) // no larger: a ledger keeps millions of them
	for key != "" {
		name, rest, ok := cutKey(key)
		value, rest, ok2 := cutKey(rest)
		if !ok || !ok2 || len(ls) > 0 && name <= ls[len(ls)-1].Name {
			return nil, errors.New("the key of a series is damaged")
		}
		ls, key = append(ls, Label{name, value}), rest
	}
	return ls, nil
}

func cutKey(s string) (field, rest string, ok bool) {
	var n uint64
	for i := 0; i < len(s) && i < 5; i++ {
		n |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			if s = s[i+1:]; n > uint64(len(s)) {
				return "", "", false
			}
			return s[:n], s[n:], true
		}
	}
	return "", "", false
}

// NameScheme says which names are allowed.
type NameScheme struct {
	// UTF8 allows any UTF-8 string as a name, as Prometheus 3 does. Otherwise
	// names are of the legacy set: [a-zA-Z_:][a-zA-Z0-9_:]* for metrics, the
	// same without colons for labels.
	UTF8 bool
	// MaxLabels, MaxName and MaxValue limit a series: its labels (the metric's
	// name counts), and the bytes of a name and of a value. 0 is no limit.
	MaxLabels, MaxName, MaxValue int
}

// Check returns an error that says what is wrong with ls: no metric name, a
// name that is not allowed, a value that is not UTF-8, a limit passed.
func (s NameScheme) Check(ls Labels) error {
	name := ls.Get(MetricName)
	if name == "" {
		return errors.New("it has no metric name: set the label __name__")
	}
	if s.MaxLabels > 0 && len(ls) > s.MaxLabels {
		return fmt.Errorf("it has %d labels, the limit is %d", len(ls), s.MaxLabels)
	}
	if err := s.name("metric name", name, true); err != nil {
		return err
	}
	for _, l := range ls {
		if l.Name == MetricName {
			continue
		}
		if strings.HasPrefix(l.Name, "__") {
			return fmt.Errorf("label %s: names that begin with __ are reserved", clip(l.Name))
		}
		if err := s.name("label name", l.Name, false); err != nil {
			return err
		}
		if s.MaxValue > 0 && len(l.Value) > s.MaxValue {
			return fmt.Errorf("the value of label %s has %d bytes, the limit is %d", clip(l.Name), len(l.Value), s.MaxValue)
		}
		if !utf8.ValidString(l.Value) {
			return fmt.Errorf("the value of label %s is not UTF-8", clip(l.Name))
		}
	}
	return nil
}

func (s NameScheme) name(what, name string, colons bool) error {
	switch {
	case name == "":
		return fmt.Errorf("a %s is empty", what)
	case s.MaxName > 0 && len(name) > s.MaxName:
		return fmt.Errorf("%s %s has %d bytes, the limit is %d", what, clip(name), len(name), s.MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s %s is not UTF-8", what, clip(name))
	case !s.UTF8 && !legacyName(name, colons):
		hint := "letters, digits and underscores"
		if colons {
			hint = "letters, digits, underscores and colons"
		}
		return fmt.Errorf("%s %s has characters that are not allowed: use %s, and no digit first (or set utf8_names: true)", what, clip(name), hint)
	}
	return nil
}

// clip quotes s, cut to a length fit for a message.
func clip(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "…"
	}
	return strconv.Quote(s)
}

// legacyName reports whether s is a name of Prometheus's legacy set.
func legacyName(s string, colons bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == ':' && colons:
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}
