package remotewrite

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"narthex"
)

// named is a series that a refusal names.
type named struct {
	labels narthex.Labels
	reason Reason
	text   string // what was said of it
}

// The bounds of what is read of a refusal.
const (
	maxAnswer = 4 << 20 // bytes
	maxLines  = 20_000
	maxLine   = 64 << 10
	maxBraces = 64  // of a line
	maxNamed  = 128 // labels of a series
)

// parseRefusal finds the series that a refusal names. The notations are
// {__name__="a", b="c"}, a{b="c"}, {"a", b="c"} and, behind the word series, a
// bare name. There may be one in a line, as Prometheus writes them for 2.0, or
// one in all, as Mimir and Cortex do. What can't be read is left out.
func parseRefusal(body string) []named {
	body = errorText(body)
	var out []named
	lines := 0
	for line := range strings.Lines(body) {
		if lines++; lines > maxLines {
			break
		}
		line = strings.TrimSpace(line[:min(len(line), maxLine)])
		if ls, said, ok := findSeries(line); ok {
			reason := classify(said)
			if reason == ReasonOther {
				reason = classify(line)
			}
			out = append(out, named{labels: ls, reason: reason, text: line})
		}
	}
	return out
}

// errorText returns the text in a JSON answer, or the answer itself.
func errorText(body string) string {
	if !strings.HasPrefix(strings.TrimSpace(body), "{") {
		return body
	}
	var answer struct{ Message, Error string }
	if json.Unmarshal([]byte(body), &answer) != nil {
		return body
	}
	switch {
	case answer.Message != "":
		return answer.Message
	case answer.Error != "":
		return answer.Error
	}
	return body
}

// findSeries returns the first set of labels in a line that can be read, and what
// is said before it. What looks like one within a label's value is passed over.
func findSeries(line string) (ls narthex.Labels, said string, ok bool) {
	at := 0
	for range maxBraces {
		next := strings.IndexByte(line[at:], '{')
		if next < 0 {
			break
		}
		at += next
		if ls, ok := parseLabels(line[:at], line[at:]); ok {
			return ls, line[:at], true
		}
		at++
	}
	ls, ok = bareName(line)
	return ls, line, ok
}

// bareName reads the name of a series that has no other labels.
func bareName(line string) (narthex.Labels, bool) {
	_, rest, ok := cutLast(line, "series")
	if !ok {
		return nil, false
	}
	rest = strings.TrimLeft(rest, ":= '\"")
	end := 0
	for end < len(rest) && nameByte(rest[end]) {
		end++
	}
	if end == 0 || end < len(rest) && rest[end] == '{' {
		return nil, false
	}
	return narthex.Labels{{Name: narthex.MetricName, Value: strings.TrimRight(rest[:end], ".")}}, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// nameByte reports whether c may stand in a name without quotes.
func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == ':' || c == '.'
}

// parseLabels reads a set of labels at the start of s; the name of the metric
// may stand before it.
func parseLabels(before, s string) (narthex.Labels, bool) {
	var ls []narthex.Label
	s = s[1:]
	for first := true; ; first = false {
		s = strings.TrimLeft(s, " ")
		if strings.HasPrefix(s, "}") {
			break
		}
		if !first {
			if !strings.HasPrefix(s, ",") {
				return nil, false
			}
			s = strings.TrimLeft(s[1:], " ")
		}
		l, rest, ok := parseLabel(s)
		if !ok || len(ls) == maxNamed {
			return nil, false
		}
		ls, s = append(ls, l), rest
	}
	if !slices.ContainsFunc(ls, func(l narthex.Label) bool { return l.Name == narthex.MetricName }) {
		start := len(before)
		for start > 0 && nameByte(before[start-1]) {
			start--
		}
		if start < len(before) {
			ls = append(ls, narthex.Label{Name: narthex.MetricName, Value: before[start:]})
		}
	}
	out, err := narthex.NewLabels(ls...)
	return out, err == nil && len(out) > 0
}

// parseLabel reads name="value"; a quoted string alone is the metric's name.
func parseLabel(s string) (l narthex.Label, rest string, ok bool) {
	quoted := strings.HasPrefix(s, `"`)
	if quoted {
		l.Name, s, ok = unquote(s)
		if !ok {
			return l, s, false
		}
	} else {
		end := 0
		for end < len(s) && nameByte(s[end]) {
			end++
		}
		if end == 0 {
			return l, s, false
		}
		l.Name, s = s[:end], s[end:]
	}
	if !strings.HasPrefix(s, "=") {
		return narthex.Label{Name: narthex.MetricName, Value: l.Name}, s, quoted
	}
	l.Value, rest, ok = unquote(s[1:])
	return l, rest, ok
}

// unquote reads a quoted string at the start of s.
func unquote(s string) (text, rest string, ok bool) {
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil || quoted[0] != '"' {
		return "", s, false
	}
	text, err = strconv.Unquote(quoted)
	return text, s[len(quoted):], err == nil
}
