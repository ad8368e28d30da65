package auth

import (
	"encoding/json"
	"strconv"
	"time"
)

// claims are what a token says, as JSON has it with numbers as json.Number.
type claims map[string]any

// text returns a claim that is one value and not empty.
func (c claims) text(name string) (string, bool) {
	s, ok := scalar(c[name])
	return s, ok && s != ""
}

// texts returns the values of a claim, which may be a list.
func (c claims) texts(name string) []string {
	list, ok := c[name].([]any)
	if !ok {
		list = []any{c[name]}
	}
	var out []string
	for _, v := range list {
		if s, ok := scalar(v); ok {
			out = append(out, s)
		}
	}
	return out
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// show returns a claim for a message.
func (c claims) show(name string) string {
	v, found := c[name]
	if !found {
		return "missing"
	}
	text, err := json.Marshal(v)
	if err != nil || len(text) > 100 {
		return "too long to be shown"
	}
	return string(text)
}

// leeway is how far two clocks may be apart.
const leeway = time.Minute

// current returns an error if the claims are not of now. A token that does not
// end is refused.
//
// Source: RFC 7519, sections 4.1.4 to 4.1.6.
func (c claims) current(now time.Time) error {
	exp, ok := c.time("exp")
	switch {
	case !ok:
		return refuse(Malformed, "the token's claim exp is %s: it must be a time", c.show("exp"))
	case !now.Before(exp.Add(leeway)):
		return refuse(Expired, "the token has expired at %s; here it is %s", clock(exp), clock(now))
	}
	for _, name := range []string{"nbf", "iat"} {
		if _, found := c[name]; !found {
			continue
		}
		t, ok := c.time(name)
		switch {
		case !ok:
			return refuse(Malformed, "the token's claim %s is %s: it must be a time", name, c.show(name))
		case t.After(now.Add(leeway)):
			return refuse(Expired, "the token begins at %s (%s); here it is %s", clock(t), name, clock(now))
		}
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// time returns a claim that is a number of seconds since the epoch.
func (c claims) time(name string) (time.Time, bool) {
	n, ok := c[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > 253402300799 { // the end of the year 9999
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// isFor reports whether one of the audiences is among those of the token.
func (c claims) isFor(audiences []string) bool {
	for _, have := range c.texts("aud") {
		for _, want := range audiences {
			if have == want {
				return true
			}
		}
	}
	return false
}
