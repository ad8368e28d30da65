package pipeline

import (
	"crypto/md5"
	"encoding/binary"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"narthex"
)

// Relabel is one step of relabelling, with the fields and the meaning of
// Prometheus's relabel_config. All fields are to be set as it says, the
// defaults too (separator ;, regex (.*), replacement $1, action replace).
//
// Source: "relabel_config" in Prometheus's documentation; the tests hold it
// against model/relabel of Prometheus.
type Relabel struct {
	SourceLabels []string
	Separator    string
	// Regex matches whole values; the caller has anchored it.
	Regex       *regexp.Regexp
	Modulus     uint64 // of hashmod, not 0 there
	TargetLabel string
	Replacement string
	// Action is replace, keep, drop, keepequal, dropequal, hashmod, labelmap,
	// labeldrop, labelkeep, lowercase or uppercase. Any other does nothing.
	Action string
}

// Process takes the labels through the steps and says whether the series is
// kept. The labels are not changed; what is returned may be the same.
func Process(ls narthex.Labels, steps []Relabel) (out narthex.Labels, keep bool) {
	if len(steps) == 0 {
		return ls, true
	}
	b := builder{entries: make([]entry, len(ls), len(ls)+4)}
	for i, l := range ls {
		b.entries[i].Label = l
	}
	for i := range steps {
		if !steps[i].apply(&b) {
			return nil, false
		}
	}
	if !b.changed {
		return ls, true
	}
	return b.labels(), true
}

// apply does the step and reports whether the series is kept.
func (r *Relabel) apply(b *builder) bool {
	value := b.joined(r.SourceLabels, r.Separator)
	switch r.Action {
	case "keep":
		return r.Regex.MatchString(value)
	case "drop":
		return !r.Regex.MatchString(value)
	case "keepequal":
		return b.get(r.TargetLabel) == value
	case "dropequal":
		return b.get(r.TargetLabel) != value
	case "replace":
		r.replace(b, value)
	case "lowercase":
		b.set(r.TargetLabel, strings.ToLower(value))
	case "uppercase":
		b.set(r.TargetLabel, strings.ToUpper(value))
	case "hashmod":
		sum := md5.Sum([]byte(value))
		b.set(r.TargetLabel, strconv.FormatUint(binary.BigEndian.Uint64(sum[8:])%r.Modulus, 10))
	case "labelmap":
		for _, e := range slices.Clone(b.entries) {
			if r.Regex.MatchString(e.Name) {
				b.set(r.Regex.ReplaceAllString(e.Name, r.Replacement), e.Value)
			}
		}
	case "labeldrop", "labelkeep":
		before := len(b.entries)
		b.entries = slices.DeleteFunc(b.entries, func(e entry) bool {
			return r.Regex.MatchString(e.Name) == (r.Action == "labeldrop")
		})
		b.changed = b.changed || len(b.entries) != before
	}
	return true
}

func (r *Relabel) replace(b *builder, value string) {
	at := r.Regex.FindStringSubmatchIndex(value)
	if at == nil {
		return
	}
	target := string(r.Regex.ExpandString(nil, r.TargetLabel, value, at))
	if target == "" || !utf8.ValidString(target) {
		return
	}
	b.set(target, string(r.Regex.ExpandString(nil, r.Replacement, value, at)))
}

// builder has labels while they change. Those that were there stand first, in
// their order, and those that were set after them, in theirs: labelmap goes
// through them in that order.
type builder struct {
	entries []entry
	changed bool
}

type entry struct {
	narthex.Label
	added bool
}

func (b *builder) get(name string) string {
	for i := range b.entries {
		if b.entries[i].Name == name {
			return b.entries[i].Value
		}
	}
	return ""
}

func (b *builder) joined(names []string, separator string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return b.get(names[0])
	}
	var s strings.Builder
	for i, name := range names {
		if i > 0 {
			s.WriteString(separator)
		}
		s.WriteString(b.get(name))
	}
	return s.String()
}

// set sets a label; an empty value removes it.
func (b *builder) set(name, value string) {
	i := slices.IndexFunc(b.entries, func(e entry) bool { return e.Name == name })
	switch {
	case i >= 0 && value != "" && b.entries[i].added:
		b.changed = b.changed || b.entries[i].Value != value
		b.entries[i].Value = value
		return
	case i >= 0:
		b.changed = b.changed || b.entries[i].Value != value
		b.entries = slices.Delete(b.entries, i, i+1)
	}
	if value != "" {
		b.changed = b.changed || i < 0
		b.entries = append(b.entries, entry{narthex.Label{Name: name, Value: value}, true})
	}
}

// labels returns the labels, sorted.
func (b *builder) labels() narthex.Labels {
	out := make(narthex.Labels, len(b.entries))
	for i := range b.entries {
		out[i] = b.entries[i].Label
	}
	slices.SortFunc(out, func(x, y narthex.Label) int { return strings.Compare(x.Name, y.Name) })
	return out
}
