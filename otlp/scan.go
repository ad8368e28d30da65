package otlp

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"narthex"
)

// scanner reads JSON from a text, without a copy of what needs none. After an
// error, which is kept, it reads nothing more.
type scanner struct {
	text  string
	pos   int
	depth int
	err   error
}

// maxNesting bounds the depth of a document: the messages of a request and the
// values of its attributes, each of which takes three levels.
const maxNesting = 32 + 3*maxDepth

func (s *scanner) fail(want string) {
	fail(&s.err, narthex.Errorf(narthex.Invalid, "not OTLP's JSON: want %s at byte %d", want, s.pos))
}

// next skips blanks and returns the next byte, 0 at the end.
func (s *scanner) next() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// eat takes the byte if it is next.
func (s *scanner) eat(c byte) bool {
	if s.err != nil || s.next() != c {
		return false
	}
	s.pos++
	return true
}

// word takes a literal if it is next.
func (s *scanner) word(w string) bool {
	s.next()
	if s.err != nil || !strings.HasPrefix(s.text[s.pos:], w) {
		return false
	}
	s.pos += len(w)
	return true
}

// null takes a null: the field is as good as absent.
func (s *scanner) null() bool { return s.word("null") }

// nested calls f for each element between the brackets.
func (s *scanner) nested(open, end byte, what string, f func()) {
	if s.null() {
		return
	}
	if !s.eat(open) {
		s.fail(what)
		return
	}
	if s.depth++; s.depth > maxNesting {
		fail(&s.err, narthex.Errorf(narthex.Invalid, "the JSON is nested more than %d deep at byte %d", maxNesting, s.pos))
		return
	}
	defer func() { s.depth-- }()
	if s.eat(end) {
		return
	}
	for s.err == nil {
		if f(); s.eat(end) {
			return
		}
		if !s.eat(',') {
			s.fail("a comma or " + string(end))
		}
	}
}

// object calls f with the name of each field, in lowerCamelCase, to read its
// value.
func (s *scanner) object(f func(name string)) {
	s.nested('{', '}', "an object", func() {
		name := s.str()
		if !s.eat(':') {
			s.fail("a colon")
		}
		if s.err == nil {
			f(camel(name))
		}
	})
}

// camel turns a name as in the .proto file into the one JSON has; readers have
// to take both.
func camel(name string) string {
	if strings.IndexByte(name, '_') < 0 || len(name) > 40 {
		return name
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] == '_' && i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z' {
			i++
			b = append(b, name[i]-'a'+'A')
		} else {
			b = append(b, name[i])
		}
	}
	return string(b)
}

func (s *scanner) list(f func()) { s.nested('[', ']', "a list", f) }

// str reads a string, "" for null.
func (s *scanner) str() string {
	if s.null() {
		return ""
	}
	if !s.eat('"') {
		s.fail("a string")
		return ""
	}
	start := s.pos
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[start : s.pos-1]
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.fail("no control character in a string")
			return ""
		}
		s.pos++
	}
	s.fail("the end of a string")
	return ""
}

// escaped reads on in a string that began at start and has an escape here.
func (s *scanner) escaped(start int) string {
	b := []byte(s.text[start:s.pos])
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		switch {
		case c == '"':
			return string(b)
		case c < ' ':
			s.fail("no control character in a string")
			return ""
		case c != '\\':
			b = append(b, c)
		case s.pos == len(s.text):
		default:
			e := s.text[s.pos]
			s.pos++
			if e == 'u' {
				b = utf8.AppendRune(b, s.unicode())
			} else if i := strings.IndexByte(`"\/bfnrt`, e); i >= 0 {
				b = append(b, "\"\\/\b\f\n\r\t"[i])
			} else {
				s.fail("an escape that JSON knows")
				return ""
			}
		}
	}
	s.fail("the end of a string")
	return ""
}

// unicode reads what follows \u. Half a pair is U+FFFD.
func (s *scanner) unicode() rune {
	r := s.hex4()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if strings.HasPrefix(s.text[s.pos:], `\u`) {
		at := s.pos
		s.pos += 2
		if pair := utf16.DecodeRune(r, s.hex4()); pair != utf8.RuneError {
			return pair
		}
		s.pos = at
	}
	return utf8.RuneError
}

func (s *scanner) hex4() rune {
	if s.pos+4 > len(s.text) {
		s.fail("four hexadecimal digits")
		return 0
	}
	n, err := strconv.ParseUint(s.text[s.pos:s.pos+4], 16, 16)
	if err != nil {
		s.fail("four hexadecimal digits")
		return 0
	}
	s.pos += 4
	return rune(n)
}

// scalar reads a number, as it stands or in a string, "" for null.
func (s *scanner) scalar() string {
	switch c := s.next(); {
	case c == '"':
		return s.str()
	case c == 'n':
		if !s.null() {
			s.fail("a number")
		}
		return ""
	}
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte("+-.0123456789eE", s.text[s.pos]) >= 0 {
		s.pos++
	}
	if start == s.pos {
		s.fail("a number")
	}
	return s.text[start:s.pos]
}

func number[T any](s *scanner, what string, parse func(string) (T, error)) T {
	var none T
	text := s.scalar()
	if s.err != nil || text == "" {
		return none
	}
	v, err := parse(text)
	if err != nil {
		s.fail(what)
		return none
	}
	return v
}

func (s *scanner) uint() uint64 {
	return number(s, "a whole number of 64 bits before", func(t string) (uint64, error) { return strconv.ParseUint(t, 10, 64) })
}

func (s *scanner) int(bits int) int64 {
	return number(s, "a whole number before", func(t string) (int64, error) { return strconv.ParseInt(t, 10, bits) })
}

// float reads a double; "NaN", "Infinity" and "-Infinity" are names for some.
func (s *scanner) float() float64 {
	return number(s, "a number before", func(t string) (float64, error) { return strconv.ParseFloat(t, 64) })
}

func (s *scanner) bool() bool {
	switch {
	case s.word("true"):
		return true
	case s.word("false"), s.null():
	default:
		s.fail("true or false")
	}
	return false
}

// skip reads a value of any kind.
func (s *scanner) skip() {
	switch c := s.next(); c {
	case '{':
		s.object(func(string) { s.skip() })
	case '[':
		s.list(s.skip)
	case '"':
		s.str()
	case 't', 'f':
		s.bool()
	default:
		s.scalar()
	}
}
