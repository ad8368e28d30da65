package accesslog

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxKeys is how many different keys of an object are remembered.
const maxKeys = 512

// A level is an object, or one in it, and what its keys stand for.
type level struct {
	keys  map[string]*key
	order []*key // as the line before had them
}

// A key is what a key of an object stands for.
type key struct {
	name  string
	value column
	below *level // of an object, if something in it matters
	known bool
	lines int64 // that had it, if it is not known
}

// newLevel returns the level of a dialect, whose names are paths with points.
func newLevel(d dialect, p *plan) *level {
	root := &level{keys: map[string]*key{}}
	for path := range d {
		root.reach(path)
	}
	for _, path := range p.columns {
		root.reach(path)
	}
	root.resolve("", d, p)
	return root
}

// reach makes the keys of a path.
func (l *level) reach(path string) {
	name, rest, nested := strings.Cut(path, ".")
	k := l.keys[name]
	if k == nil {
		k = &key{name: name}
		l.keys[name] = k
	}
	if k.known = true; !nested {
		return
	}
	if k.below == nil {
		k.below = &level{keys: map[string]*key{}}
	}
	k.below.reach(rest)
}

// resolve sets what the keys stand for, by their whole paths.
func (l *level) resolve(prefix string, d dialect, p *plan) {
	for name, k := range l.keys {
		k.value, _ = p.column(d, prefix+name)
		if k.below != nil {
			k.below.resolve(prefix+name+".", d, p)
		}
	}
}

// An objects parser reads JSON lines.
type objects struct {
	root    *level
	unit    measure
	clock   clockwork
	scratch []byte
	plan    *plan
}

func newObjects(d dialect, unit measure, p *plan) *objects {
	return &objects{root: newLevel(d, p), unit: unit, plan: p}
}

func (o *objects) parse(line []byte, r *request) ([]byte, reason) {
	o.scratch = o.scratch[:0]
	end := o.object(line, 0, o.root, r, true)
	if end < 0 {
		return nil, badJSON
	}
	rest := bytes.TrimLeft(line[end:], " \t\r,")
	if len(rest) > 0 && rest[0] != '{' {
		return nil, badJSON
	}
	if len(rest) == 0 {
		rest = nil
	}
	r.n[o.unit] = 1
	return rest, r.rejected
}

// object reads the object that begins at b[i] and returns where it ends, or -1
// if it is malformed.
func (o *objects) object(b []byte, i int, l *level, r *request, top bool) int {
	if i >= len(b) || b[i] != '{' {
		return -1
	}
	i = skipBlanks(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for n := 0; ; n++ {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		end := stringEnd(b, i)
		if end < 0 {
			return -1
		}
		k := l.find(b[i+1:end-1], n)
		if k != nil && !k.known && top {
			k.lines++
		}
		if i = skipBlanks(b, end); i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = o.value(b, skipBlanks(b, i+1), k, r); i < 0 {
			return -1
		}
		if i = skipBlanks(b, i); i >= len(b) {
			return -1
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = skipBlanks(b, i+1)
	}
}

// find returns what a key stands for, nil if it is not known. Lines mostly have
// the same keys in the same order, so the n-th of the line before is tried
// first.
func (l *level) find(name []byte, n int) *key {
	if n < len(l.order) && l.order[n].name == string(name) {
		return l.order[n]
	}
	k := l.keys[string(name)]
	if k == nil {
		if len(l.keys) >= maxKeys || len(name) > maxValue {
			return nil
		}
		k = &key{name: string(name), value: column{extra: none}}
		l.keys[k.name] = k
	}
	switch {
	case n < len(l.order):
		l.order[n] = k
	case n == len(l.order) && n < maxKeys:
		l.order = append(l.order, k)
	}
	return k
}

// value reads a value and returns where it ends.
func (o *objects) value(b []byte, i int, k *key, r *request) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		end := stringEnd(b, i)
		if end < 0 || k == nil || !k.value.used {
			return end
		}
		text := b[i+1 : end-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			text = o.unquote(text)
		}
		k.value.set(r, text, &o.clock)
		return end
	case '{':
		if k != nil && k.below != nil {
			return o.object(b, i, k.below, r, false)
		}
		return skipNested(b, i)
	case '[':
		return skipNested(b, i)
	}
	end := i
	for end < len(b) && b[end] != ',' && b[end] != '}' && b[end] != ']' && b[end] > ' ' {
		end++
	}
	if !literal(b[i:end]) {
		return -1
	}
	if text := b[i:end]; k != nil && k.value.used && string(text) != "null" {
		k.value.set(r, text, &o.clock)
	}
	return end
}

// literal reports whether b may be a number, true, false or null.
func literal(b []byte) bool {
	switch string(b) {
	case "true", "false", "null":
		return true
	}
	if len(b) == 0 || b[0] != '-' && b[0]-'0' > 9 {
		return false
	}
	for _, c := range b[1:] {
		if c-'0' > 9 && bytes.IndexByte([]byte("+-.eE"), c) < 0 {
			return false
		}
	}
	return true
}

func skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns the index behind the string that begins at b[i], or -1.
func stringEnd(b []byte, i int) int {
	start := i + 1
	for i = start; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		if i += n; i == start || b[i-1] != '\\' || !escaped(b[start:i]) {
			return i + 1
		}
	}
}

// skipNested returns the index behind the object or array that begins at b[i].
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			end := stringEnd(b, i)
			if end < 0 {
				return -1
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// unquote resolves a string's escapes into the scratch.
func (o *objects) unquote(b []byte) []byte {
	if cap(o.scratch)-len(o.scratch) < len(b) {
		o.scratch = make([]byte, 0, 2*len(b)+1024) // the old one lives on in what points to it
	}
	start := len(o.scratch)
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			o.scratch = append(o.scratch, b[i])
			continue
		}
		i++
		switch c := b[i]; c {
		case 'n', 't', 'r', 'b', 'f':
			o.scratch = append(o.scratch, "\n\t\r\b\f"[strings.IndexByte("ntrbf", c)])
		case 'u':
			r, n := unicodeEscape(b[i+1:])
			o.scratch = utf8.AppendRune(o.scratch, r)
			i += n
		default:
			o.scratch = append(o.scratch, c)
		}
	}
	return o.scratch[start:len(o.scratch):len(o.scratch)]
}

// unicodeEscape reads the four digits behind \u, and those of a second half.
func unicodeEscape(b []byte) (rune, int) {
	if len(b) < 4 {
		return utf8.RuneError, len(b)
	}
	v, err := strconv.ParseUint(string(b[:4]), 16, 32)
	if err != nil {
		return utf8.RuneError, 4
	}
	if !utf16.IsSurrogate(rune(v)) || len(b) < 10 || b[4] != '\\' || b[5] != 'u' {
		return rune(v), 4
	}
	low, err := strconv.ParseUint(string(b[6:10]), 16, 32)
	if err != nil {
		return utf8.RuneError, 4
	}
	return utf16.DecodeRune(rune(v), rune(low)), 10
}

// finish reports the keys that are not known, and what metrics want and no
// line had.
func (o *objects) finish(report *Report) {
	for _, name := range slices.Sorted(maps.Keys(o.root.keys)) {
		if k := o.root.keys[name]; k.lines > 0 && len(report.Unknown) < maxNamed {
			report.Unknown[name] = k.lines
		}
	}
	has := o.root.seen(nil)
	if len(has) == 0 || o.unit != measureRequests {
		return
	}
	for _, m := range o.plan.lacks(has, []field{fieldStatus, fieldMethod, fieldPath}, []measure{measureDuration}) {
		report.addMissing(m)
	}
}

// seen appends what the lines' keys stand for, each once: a line may repeat them.
func (l *level) seen(has []column) []column {
	done := make(map[*key]bool)
	for _, k := range l.order {
		if done[k] {
			continue
		}
		done[k] = true
		if has = append(has, k.value); k.below != nil {
			has = k.below.seen(has)
		}
	}
	return has
}
