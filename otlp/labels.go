package otlp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"narthex"
)

// labelSet is labels that are being put together, in no order. An empty value
// is as good as none.
type labelSet struct{ ls []narthex.Label }

func (s *labelSet) reset() { s.ls = s.ls[:0] }

func (s *labelSet) find(name string) int {
	for i := range s.ls {
		if s.ls[i].Name == name {
			return i
		}
	}
	return -1
}

func (s *labelSet) set(name, value string) {
	if i := s.find(name); i >= 0 {
		s.ls[i].Value = value
	} else {
		s.ls = append(s.ls, narthex.Label{Name: name, Value: value})
	}
}

// add sets what is not set yet.
func (s *labelSet) add(name, value string) {
	if i := s.find(name); i < 0 || s.ls[i].Value == "" {
		s.set(name, value)
	}
}

// join is set, but a value that is there stays, before a semicolon. It returns
// false if the two are longer than any label need be.
func (s *labelSet) join(name, value string) bool {
	if i := s.find(name); i >= 0 && s.ls[i].Value != "" {
		if value = s.ls[i].Value + ";" + value; len(value) > maxJoined {
			return false
		}
	}
	s.set(name, value)
	return true
}

// maxJoined bounds, in bytes, what is put together of attributes whose keys are
// alike once they are escaped.
const maxJoined = 1 << 16

func (s *labelSet) dropEmpty() {
	s.ls = slices.DeleteFunc(s.ls, func(l narthex.Label) bool { return l.Value == "" })
}

func (s *labelSet) sort() {
	s.dropEmpty()
	slices.SortFunc(s.ls, func(a, b narthex.Label) int { return strings.Compare(a.Name, b.Name) })
}

// base returns the labels that all series of a point have, sorted, with the
// family's name. They are the translator's, until the next call.
func (t *translator) base(p *Point) (narthex.Labels, error) {
	if err := tooMany("point", p.Attributes); err != nil {
		return nil, err
	}
	t.scratch.reset()
	if err := t.attributes(p.Attributes, nil); err != nil {
		return nil, err
	}
	for _, l := range t.promoted {
		if l.Value != "" {
			t.scratch.add(l.Name, l.Value)
		}
	}
	t.identify()
	for _, l := range t.scoped {
		t.scratch.set(l.Name, l.Value)
	}
	t.scratch.set(narthex.MetricName, t.family)
	t.scratch.sort()
	return t.scratch.ls, t.Names.Check(t.scratch.ls)
}

// identify sets the labels that say whose a series is.
func (t *translator) identify() {
	if t.job != "" {
		t.scratch.set("job", t.job)
	}
	if t.instance != "" {
		t.scratch.set("instance", t.instance)
	}
}

// attributes adds labels for attributes but those to leave out. Keys that are
// alike once they are escaped share a label, in the keys' order.
func (t *translator) attributes(attributes []Attribute, leave []string) error {
	byKey := func(a, b Attribute) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(attributes, byKey) {
		t.sorted = append(t.sorted[:0], attributes...)
		slices.SortStableFunc(t.sorted, byKey)
		attributes = t.sorted
	}
	for _, a := range attributes {
		if a.Key == narthex.MetricName || slices.Contains(leave, a.Key) {
			continue
		}
		if !t.Strategy.escapes() {
			if t.scratch.find(a.Key) >= 0 {
				return fmt.Errorf("it has the attribute %q twice", a.Key)
			}
			t.scratch.set(a.Key, a.Value)
			continue
		}
		name, err := t.labelName(a.Key)
		if err != nil {
			return err
		}
		if !t.scratch.join(name, a.Value) {
			return fmt.Errorf("several of its attributes become the label %s, whose value would be longer than %d bytes", name, maxJoined)
		}
	}
	return nil
}

// with returns a copy of base for good, under another name and with one more
// label.
func (t *translator) with(base narthex.Labels, metric, name, value string) narthex.Labels {
	n := len(base)
	if len(t.labels.free) < n+1 {
		t.labels.free = make([]narthex.Label, max(1024, n+1))
	}
	out := t.labels.free[: 0 : n+1]
	for _, l := range base {
		if l.Name == narthex.MetricName {
			l.Value = metric
		}
		if name != "" && name <= l.Name {
			out = append(out, narthex.Label{Name: name, Value: value})
			if name = ""; l.Name == out[len(out)-1].Name {
				continue
			}
		}
		out = append(out, l)
	}
	if name != "" {
		out = append(out, narthex.Label{Name: name, Value: value})
	}
	t.labels.free = t.labels.free[n+1:]
	return narthex.Labels(out)
}
