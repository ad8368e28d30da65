package emf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"narthex"
	"narthex/internal/message"
)

// The specification's bounds.
const (
	maxValues     = 100  // of a metric in one event
	maxDimensions = 30   // of a set
	maxName       = 1024 // bytes of a name
)

// Bounds of what is read again and again: a member may be a dimension of many
// sets and the value of many metrics. Both are generous: CloudWatch takes
// dimensions of 1024 characters.
const (
	maxDimension = 8 << 10  // bytes of a dimension's JSON
	maxNumbers   = 16 << 10 // bytes of a metric's JSON
)

// maxDirectives bounds the texts that a collector remembers.
const maxDirectives = 100

// event is one object of the format.
type event struct {
	members    map[string]json.RawMessage
	time       int64
	directives []directive
}

// directive says which members are metrics.
type directive struct {
	Namespace  string
	Dimensions []dimensions
	Metrics    []definition
}

type definition struct {
	Name, Unit string
}

// dimensions are the names of one set.
type dimensions []string

// UnmarshalJSON takes a name in the place of a set, as is sometimes written.
func (d *dimensions) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var name string
		err := json.Unmarshal(b, &name)
		*d = dimensions{name}
		return err
	}
	var names []string
	err := json.Unmarshal(b, &names)
	*d = names
	return err
}

// Add adds an event, a JSON object. An error means that nothing of it was
// added, but for one of kind [narthex.TooLarge], after which the collector is of
// no use.
func (c *Collector) Add(doc []byte) error {
	e, err := c.read(doc)
	if err != nil {
		return err
	}
	if e.time != 0 && e.time < c.o.Oldest {
		return narthex.Errorf(narthex.Invalid, "its timestamp %d is older than what a retry could be told from: it is refused", e.time)
	}
	if c.o.Newest != 0 {
		e.time = min(e.time, c.o.Newest)
	}
	for i := range e.directives {
		if err := c.directive(e, &e.directives[i]); err != nil {
			return err
		}
	}
	return nil
}

// read reads an event's shape.
func (c *Collector) read(doc []byte) (*event, error) {
	e := new(event)
	if err := json.Unmarshal(doc, &e.members); err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "it is no JSON object: %w", err)
	}
	meta := e.members
	if aws := e.members["_aws"]; aws != nil {
		meta = nil
		if err := json.Unmarshal(aws, &meta); err != nil {
			return nil, narthex.Errorf(narthex.Invalid, "_aws: want an object: %w", err)
		}
	}
	// Version 0 of the format has these two at the root.
	list := meta["CloudWatchMetrics"]
	if list == nil {
		return nil, narthex.Errorf(narthex.Invalid, "%w", ErrNotEMF)
	}
	if known, ok := c.directives[string(list)]; ok {
		e.directives = known
	} else if err := json.Unmarshal(list, &e.directives); err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "CloudWatchMetrics: %w", err)
	} else if len(c.directives) < maxDirectives {
		c.directives[string(list)] = e.directives
	}
	if text := bytes.Trim(meta["Timestamp"], `"`); len(text) > 0 {
		t, err := strconv.ParseFloat(string(text), 64)
		if err != nil || !(t >= 0 && t < 1<<53) {
			return nil, narthex.Errorf(narthex.Invalid, "the Timestamp is no time in milliseconds")
		}
		e.time = int64(t)
	}
	return e, nil
}

// directive adds the metrics of one directive, each once for each set of
// dimensions.
func (c *Collector) directive(e *event, d *directive) error {
	sets := d.Dimensions
	if len(sets) == 0 {
		sets = []dimensions{nil}
	}
	if len(d.Namespace) > maxName {
		return c.reject(nil, fmt.Sprintf("the namespace %s has %d bytes, the limit is %d", message.Quote(d.Namespace), len(d.Namespace), maxName))
	}
	seen := make(map[string]bool)
	for _, set := range sets {
		if err := c.charge(1 + len(set)); err != nil {
			return err
		}
		labels, err := c.labels(e, d, set)
		if narthex.KindOf(err) == narthex.TooLarge {
			return err
		}
		key := string(labels.AppendKey(nil))
		if err == nil && seen[key] { // two sets that come to the same are one
			continue
		}
		seen[key] = true
		for _, m := range d.Metrics {
			if err != nil {
				if err := c.reject(labels.With(narthex.MetricName, snake(m.Name)), err.Error()); err != nil {
					return err
				}
				continue
			}
			if err := c.metric(e, d, m, labels); err != nil {
				return err
			}
		}
	}
	return nil
}

// labels returns the labels of a set of dimensions.
func (c *Collector) labels(e *event, d *directive, set dimensions) (narthex.Labels, error) {
	if len(set) > maxDimensions {
		return nil, fmt.Errorf("it has %d dimensions, the format allows %d", len(set), maxDimensions)
	}
	labels := make([]narthex.Label, 0, len(set)+2)
	if c.o.Namespace == "" || c.o.Namespace == NamespaceLabel {
		labels = append(labels, narthex.Label{Name: namespaceLabel, Value: d.Namespace})
	}
	for _, name := range set {
		if len(name) > maxName {
			return nil, fmt.Errorf("the name of the dimension %s has %d bytes, the limit is %d", message.Quote(name), len(name), maxName)
		}
		if err := c.spend(min(len(e.members[name]), maxDimension)); err != nil {
			return nil, err
		}
		value, err := text(e.members[name])
		if err != nil {
			return nil, fmt.Errorf("the dimension %s %w", message.Quote(name), err)
		}
		labels = append(labels, narthex.Label{Name: labelName(name), Value: value})
	}
	out, err := narthex.NewLabels(labels...)
	if err != nil {
		return nil, fmt.Errorf("its dimensions don't make labels: %w", err)
	}
	return out, nil
}

// text returns a dimension's value. The specification wants a string.
func text(raw json.RawMessage) (string, error) {
	var v any
	if len(raw) == 0 {
		return "", fmt.Errorf("is missing: the event needs a member of that name")
	}
	if len(raw) > maxDimension {
		return "", fmt.Errorf("has %d bytes, the limit is %d", len(raw), maxDimension)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fmt.Errorf("can't be read: %w", err)
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case float64, bool:
		return string(raw), nil
	}
	return "", fmt.Errorf("is not a string")
}

// metric adds one metric's values.
func (c *Collector) metric(e *event, d *directive, m definition, labels narthex.Labels) error {
	if len(m.Name) > maxName {
		return c.reject(nil, fmt.Sprintf("the name of the metric %s has %d bytes, the limit is %d", message.Quote(m.Name), len(m.Name), maxName))
	}
	u := unitOf(m.Unit, c.o.UnitlessHistograms)
	name := u.name(m.Name)
	if c.o.Namespace == NamespacePrefix && d.Namespace != "" && name != "" {
		name = snake(d.Namespace + "_" + name)
	}
	full := labels.With(narthex.MetricName, name)
	if name == "" {
		return c.reject(full, "its name has no letter or digit: rename the metric")
	}
	values, err := numbers(e.members[m.Name], u)
	if err := c.charge(1 + len(values)); err != nil {
		return err
	}
	if err != nil {
		return c.reject(full, err.Error())
	}
	if len(values) == 0 {
		return nil
	}
	return c.add(full, u, values, e.time)
}

// numbers returns a metric's values in the base unit.
func numbers(raw json.RawMessage, u unit) ([]float64, error) {
	var values []float64
	var err error
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, fmt.Errorf("the event has no value for it: it needs a member of the metric's name")
	case len(raw) > maxNumbers:
		return nil, fmt.Errorf("its value has %d bytes, the limit is %d: the format allows %d values in one event", len(raw), maxNumbers, maxValues)
	case raw[0] == '[' && bytes.Contains(raw, []byte("null")): // which would be 0
		err = errors.New("null")
	case raw[0] == '[':
		err = json.Unmarshal(raw, &values)
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9': // JSON's numbers are Go's
		values = make([]float64, 1)
		values[0], err = strconv.ParseFloat(string(raw), 64)
	default:
		err = errors.New("another kind")
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("its value is neither a number nor a list of numbers")
	case len(values) > maxValues:
		return nil, fmt.Errorf("it has %d values in one event, the format allows %d", len(values), maxValues)
	}
	sum := 0.0
	for i := range values {
		values[i] *= u.factor
		sum += math.Abs(values[i])
		if u.kind == counter && values[i] < 0 {
			return nil, fmt.Errorf("its unit is Count but a value is %v: a counter only goes up; give what goes down another unit, such as None", values[i])
		}
	}
	if sum-sum != 0 {
		return nil, fmt.Errorf("its values are too large for a 64-bit floating-point number")
	}
	return values, nil
}
