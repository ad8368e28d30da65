package push

import (
	"encoding/base64"
	"net/url"
	"strings"

	"narthex"
	"narthex/internal/message"
)

// groupKey is what the path of a Pushgateway's URL says: the labels that name a
// group of series.
type groupKey struct {
	// Labels are those with a value, job among them.
	labels narthex.Labels
	// Empty are the names that were given an empty value, which is the same as
	// no label: series in the group lose them.
	empty []string
}

// maxPath is how many bytes the path of a group may have.
const maxPath = 8 << 10

// base64Suffix marks a name whose value is in base64.
const base64Suffix = "@base64"

// parseGroupKey reads job/<job>{/<label>/<value>}, as it stands in the request
// line. A name may end in @base64: then its value is in base64 with the URL's
// alphabet, padded or not; "=" is the empty value. Of a label that is given
// twice the last value counts, and the first segments' job above all.
//
// A %2F stays part of its value. (Pushgateway takes it for a slash.)
//
// Source: Pushgateway's README, "URL".
func parseGroupKey(path string, names narthex.NameScheme) (groupKey, error) {
	if len(path) > maxPath {
		return groupKey{}, narthex.Errorf(narthex.Invalid, "the path has %d bytes, the limit is %d: its labels are those of each series", len(path), maxPath)
	}
	parts := strings.Split(path, "/")
	if len(parts) > 2 && parts[len(parts)-1] == "" && len(parts) == 3 {
		parts = parts[:2] // job/x/
	}
	if len(parts)%2 != 0 {
		return groupKey{}, narthex.Errorf(narthex.Invalid, "the path %s has a label without a value: want /metrics/job/<job>{/<label>/<value>}", message.Quote(path))
	}
	values := make(map[string]string, len(parts)/2)
	for i := len(parts) - 2; i >= 0; i -= 2 {
		name, value, err := pathLabel(parts[i], parts[i+1])
		if err != nil {
			return groupKey{}, err
		}
		if _, found := values[name]; !found || i == 0 {
			values[name] = value
		}
	}
	if values["job"] == "" {
		return groupKey{}, narthex.Errorf(narthex.Invalid, "a group needs a job: want /metrics/job/<job>{/<label>/<value>}")
	}
	return newGroupKey(values, names)
}

// pathLabel decodes a name and a value.
func pathLabel(name, value string) (string, string, error) {
	name, err := url.PathUnescape(name)
	if err == nil {
		value, err = url.PathUnescape(value)
	}
	if err != nil {
		return "", "", narthex.Errorf(narthex.Invalid, "the path: %w", err)
	}
	name, encoded := strings.CutSuffix(name, base64Suffix)
	if encoded {
		text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(value, "="))
		if err != nil {
			return "", "", narthex.Errorf(narthex.Invalid, "the value %s of %s%s in the path: %w (it is the URL's alphabet, with - and _)", message.Quote(value), message.Clip(name, 80), base64Suffix, err)
		}
		value = string(text)
	}
	return name, value, nil
}

func newGroupKey(values map[string]string, names narthex.NameScheme) (groupKey, error) {
	var k groupKey
	for name, value := range values {
		if value == "" {
			k.empty = append(k.empty, name)
		}
		// An empty value's name is checked too.
		probe := narthex.Labels{{Name: narthex.MetricName, Value: "x"}, {Name: name, Value: value}}
		if err := names.Check(probe); err != nil || name == narthex.MetricName {
			if err == nil {
				err = errReservedName
			}
			return k, narthex.Errorf(narthex.Invalid, "the path: %w", err)
		}
		k.labels = append(k.labels, narthex.Label{Name: name, Value: value})
	}
	var err error
	if k.labels, err = narthex.NewLabels(k.labels...); err != nil {
		return k, narthex.Errorf(narthex.Invalid, "the path: %w", err)
	}
	return k, nil
}

var errReservedName = narthex.Errorf(narthex.Invalid, "label %q: names that begin with __ are reserved", narthex.MetricName)

// set returns ls with the group's labels, which take the place of its own.
func (k groupKey) set(ls narthex.Labels) narthex.Labels {
	out := make(narthex.Labels, 0, len(ls)+len(k.labels))
	rest := k.labels
	for _, l := range ls {
		for len(rest) > 0 && rest[0].Name < l.Name {
			out, rest = append(out, rest[0]), rest[1:]
		}
		if len(rest) > 0 && rest[0].Name == l.Name {
			continue
		}
		if !k.clears(l.Name) {
			out = append(out, l)
		}
	}
	return append(out, rest...)
}

func (k groupKey) clears(name string) bool {
	for _, e := range k.empty {
		if e == name {
			return true
		}
	}
	return false
}
