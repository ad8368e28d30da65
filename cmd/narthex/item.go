package main

import (
	"fmt"
	"strconv"
	"strings"

	"narthex"
)

// pushItem is an item of narthex push.
type pushItem struct {
	labels narthex.Labels
	op     string // one of the operators
	values []float64
}

// parseItem reads NAME{LABEL="VALUE",…}+=N, …=N, or …~=N,N.
func parseItem(arg string) (pushItem, error) {
	name, rest := arg, ""
	if i := strings.IndexAny(arg, "{+=~"); i >= 0 {
		name, rest = arg[:i], arg[i:]
	}
	labels := []narthex.Label{{Name: narthex.MetricName, Value: strings.TrimSpace(name)}}
	var err error
	if strings.HasPrefix(rest, "{") {
		if labels, rest, err = parseLabels(labels, rest[1:]); err != nil {
			return pushItem{}, err
		}
	}
	x := pushItem{}
	rest = strings.TrimSpace(rest)
	for _, op := range []string{"+=", "~=", "="} {
		if text, ok := strings.CutPrefix(rest, op); ok {
			x.op, rest = op, text
			break
		}
	}
	if x.op == "" {
		return x, fmt.Errorf("want NAME+=N to count, NAME=N to set a gauge, or NAME~=N,N to observe")
	}
	numbers := []string{rest}
	if x.op == "~=" {
		numbers = strings.Split(rest, ",")
	}
	for _, number := range numbers {
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v-v != 0 {
			return x, fmt.Errorf("%q is not a finite number", number)
		}
		x.values = append(x.values, v)
	}
	x.labels, err = narthex.NewLabels(labels...)
	return x, err
}

// series returns the item as an element of series.
func (x pushItem) series() map[string]any {
	as := narthex.AsGauge
	if x.op == "+=" {
		as = narthex.AsDelta
	}
	return map[string]any{"labels": x.labelMap(), "as": as.String(), "samples": []map[string]any{{"value": x.values[0]}}}
}

// histogram returns the item as an element of histograms.
func (x pushItem) histogram(buckets string) map[string]any {
	labels := x.labelMap()
	out := map[string]any{"name": labels[narthex.MetricName], "observe": x.values}
	delete(labels, narthex.MetricName)
	out["labels"] = labels
	if buckets != "" {
		out["buckets"] = buckets
	}
	return out
}

func (x pushItem) labelMap() map[string]string {
	out := make(map[string]string, len(x.labels))
	for _, l := range x.labels {
		out[l.Name] = l.Value
	}
	return out
}

// parseLabels reads LABEL="VALUE",…} as PromQL writes it.
func parseLabels(labels []narthex.Label, s string) ([]narthex.Label, string, error) {
	for {
		s = strings.TrimLeft(s, " ")
		if rest, ok := strings.CutPrefix(s, "}"); ok {
			return labels, rest, nil
		}
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, "", fmt.Errorf(`want {label="value",…} after the name`)
		}
		quoted, err := strconv.QuotedPrefix(strings.TrimLeft(rest, " "))
		if err != nil {
			return nil, "", fmt.Errorf("the value of label %s is not in quotes", strings.TrimSpace(name))
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", fmt.Errorf("the value of label %s: %w", strings.TrimSpace(name), err)
		}
		labels = append(labels, narthex.Label{Name: strings.TrimSpace(name), Value: value})
		s = strings.TrimLeft(strings.TrimLeft(rest, " ")[len(quoted):], " ")
		if next, ok := strings.CutPrefix(s, ","); ok {
			s = next
		} else if !strings.HasPrefix(s, "}") {
			return nil, "", fmt.Errorf("want , or } after the value of label %s", name)
		}
	}
}
