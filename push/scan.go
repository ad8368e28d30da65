package push

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"narthex"
	"narthex/internal/message"
)

// scanner walks through a JSON text (RFC 8259). The shapes of the text are
// known, so it makes no tree: each method reads one value of the kind that its
// caller wants. The strings it returns share the text's memory.
//
// Its errors are of two kinds: a *[narthex.Error] with line and column for what
// is not JSON, a *[shapeError] for JSON of a wrong shape. A byte that is not
// UTF-8 is let through inside of strings, for the checks of names and values to
// report.
type scanner struct {
	text string
	pos  int
}

// next skips white space and returns the next byte, 0 at the end of the text.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// kind names the kind of the next value, "" if none can begin here.
func (s *scanner) kind() string {
	switch c := s.next(); {
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a string"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	case c == 't' && s.word("true"), c == 'f' && s.word("false"):
		return "a boolean"
	case c == 'n' && s.word("null"):
		return "null"
	}
	return ""
}

func (s *scanner) word(w string) bool { return strings.HasPrefix(s.text[s.pos:], w) }

// want returns an error unless the next value is of the kind.
func (s *scanner) want(kind string) error {
	switch got := s.kind(); got {
	case kind:
		return nil
	case "":
		return s.syntax(kind)
	default:
		return &shapeError{msg: "want " + kind + ", got " + got}
	}
}

// null skips the next value if it is null.
func (s *scanner) null() bool {
	if s.kind() != "null" {
		return false
	}
	s.pos += len("null")
	return true
}

// syntax returns the error that want was wanted here.
func (s *scanner) syntax(want string) error {
	line := 1 + strings.Count(s.text[:s.pos], "\n")
	column := s.pos - strings.LastIndexByte(s.text[:s.pos], '\n')
	got := "the body ends"
	if r, _ := utf8.DecodeRuneInString(s.text[s.pos:]); s.pos < len(s.text) {
		got = "got " + strconv.QuoteRune(r)
	}
	return narthex.Errorf(narthex.Invalid, "the body is not JSON: line %d, column %d: want %s, %s", line, column, want, got)
}

// members reads an object and calls f for each member, with the scanner at its
// value.
func (s *scanner) members(f func(name string) error) error {
	if err := s.want("an object"); err != nil {
		return err
	}
	s.pos++
	if s.next() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.next() != '"' {
			return s.syntax("a field's name in double quotes")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if s.next() != ':' {
			return s.syntax("':'")
		}
		s.pos++
		if err := f(name); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.syntax("',' or '}'")
		}
	}
}

// object reads an object that has no other fields than those, each at most
// once, and calls f with a field's index.
func (s *scanner) object(fields []string, f func(i int) error) error {
	seen := uint64(0)
	return s.members(func(name string) error {
		i := 0
		for i < len(fields) && fields[i] != name {
			i++
		}
		if i == len(fields) {
			return &shapeError{path: step(name), msg: "unknown field; " + message.Suggest(name, fields)}
		}
		if seen&(1<<i) != 0 {
			return &shapeError{path: step(name), msg: "the field is given twice"}
		}
		seen |= 1 << i
		if err := f(i); err != nil {
			return under(step(name), err)
		}
		return nil
	})
}

// list reads a list and calls f for each value.
func (s *scanner) list(f func() error) error {
	if err := s.want("a list"); err != nil {
		return err
	}
	s.pos++
	if s.next() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := f(); err != nil {
			return under(fmt.Sprintf("[%d]", i), err)
		}
		switch s.next() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.syntax("',' or ']'")
		}
	}
}

// string reads a string.
func (s *scanner) string() (string, error) {
	if err := s.want("a string"); err != nil {
		return "", err
	}
	begin := s.pos + 1
	for i := begin; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.pos = i + 1
			return s.text[begin:i], nil
		case c == '\\':
			s.pos = i
			return s.escaped([]byte(s.text[begin:i]))
		case c < ' ':
			s.pos = i
			return "", s.syntax("a string without control characters")
		}
	}
	s.pos = len(s.text)
	return "", s.syntax("a closing double quote")
}

// escaped reads the rest of a string from the first backslash on; b is what
// stands before it.
func (s *scanner) escaped(b []byte) (string, error) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return string(b), nil
		case c == '\\':
			r, ok := s.escape()
			if !ok {
				return "", s.syntax("a valid escape")
			}
			b = utf8.AppendRune(b, r)
		case c < ' ':
			return "", s.syntax("a string without control characters")
		default:
			b = append(b, c)
			s.pos++
		}
	}
	return "", s.syntax("a closing double quote")
}

// escape reads one escape. Half a surrogate pair is none: it has no UTF-8 form,
// and to replace it could make two series one.
func (s *scanner) escape() (rune, bool) {
	if s.pos+1 >= len(s.text) {
		return 0, false
	}
	c := s.text[s.pos+1]
	if c == 'u' {
		r, ok := s.hex4(s.pos)
		size := 6
		if ok && utf16.IsSurrogate(r) {
			low, ok2 := s.hex4(s.pos + 6)
			r = utf16.DecodeRune(r, low)
			ok, size = ok2 && r != utf8.RuneError, 12
		}
		if ok {
			s.pos += size
		}
		return r, ok
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, false
	}
	s.pos += 2
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

// hex4 reads the escape \uXXXX at pos.
func (s *scanner) hex4(pos int) (rune, bool) {
	if pos+6 > len(s.text) || s.text[pos] != '\\' || s.text[pos+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s.text[pos+2:pos+6], 16, 16)
	return rune(n), err == nil
}

// number reads a number. One too large for a float64 is an infinity.
func (s *scanner) number() (float64, error) {
	if err := s.want("a number"); err != nil {
		return 0, err
	}
	begin := s.pos
	if s.text[s.pos] == '-' {
		s.pos++
	}
	whole := s.pos
	if !s.digits() {
		return 0, s.syntax("a digit")
	}
	if s.text[whole] == '0' && s.pos > whole+1 {
		s.pos = whole + 1
		return 0, s.syntax("no digit after a leading 0")
	}
	short := s.pos-whole <= 15 && begin == whole
	if s.at('.') {
		if s.pos, short = s.pos+1, false; !s.digits() {
			return 0, s.syntax("a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.pos, short = s.pos+1, false
		if s.at('+') || s.at('-') {
			s.pos++
		}
		if !s.digits() {
			return 0, s.syntax("a digit")
		}
	}
	if short { // up to 15 digits are exact
		n := int64(0)
		for _, c := range []byte(s.text[begin:s.pos]) {
			n = 10*n + int64(c-'0')
		}
		return float64(n), nil
	}
	// The only error that is left is "out of range", with v an infinity.
	v, _ := strconv.ParseFloat(s.text[begin:s.pos], 64)
	return v, nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

// digits skips digits and reports whether there was one.
func (s *scanner) digits() bool {
	begin := s.pos
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > begin
}
