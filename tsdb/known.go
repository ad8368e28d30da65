package tsdb

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"narthex"
)

// known is what is remembered of a series from write to write, because the same
// ones come again and again: its labels as the TSDB has them, checked, and the
// reference that spares looking them up. A reference to a series that the TSDB
// has dropped does no harm: the labels find it again.
type known struct {
	key    string // of narthex.Labels
	labels labels.Labels
	ref    storage.SeriesRef

	turn uint64 // the write that met it last, which has it at
	at   int32
	age  uint32 // of knowns: it is in now
	// next is the series that followed it in that write: senders keep an order, so
	// that it is most often next again, and the map's memory need not be fetched.
	next *known
}

// maxKnown and knownFor bound what is remembered: a series that was not written
// while either passed may be forgotten, after twice that it is. The TSDB's head holds
// ten times as much of each; with more series than maxKnown each write forgets, and
// has to find again, what the next one brings.
const (
	maxKnown = 1_000_000
	knownFor = time.Hour
)

// knowns finds what is known by the labels' key.
type knowns struct {
	now, before map[string]*known
	since       int64 // ms; when now was begun
	age         uint32
}

// get returns what is known of the series with the key, nil if nothing is. after
// is the one before it in the write, nil at its beginning.
func (k *knowns) get(key []byte, after *known) *known {
	if after != nil && after.next != nil && after.next.age == k.age && after.next.key == string(key) {
		return after.next
	}
	s := k.now[string(key)]
	if s == nil {
		if s = k.before[string(key)]; s != nil {
			k.keep(s)
		}
	}
	return s
}

func (k *knowns) keep(s *known) {
	k.now[s.key], s.age = s, k.age
}

// follow notes what follows s in a write, nil at its end: so what is remembered
// refers to nothing that was written before it, and that may be forgotten.
func (s *known) follow(next *known) {
	if s != nil && s.next != next {
		s.next = next
	}
}

// turnOver forgets what is due, at the time now.
func (k *knowns) turnOver(now int64) {
	if k.now == nil || len(k.now) >= maxKnown || now-k.since >= knownFor.Milliseconds() {
		k.now, k.before, k.since = make(map[string]*known, len(k.now)), k.now, now
		k.age++
	}
}

// learn checks the labels and remembers them.
func (k *knowns) learn(b *labels.ScratchBuilder, key []byte, from narthex.Labels) (*known, error) {
	s := &known{key: string(key), labels: convert(b, from)}
	if err := check(s.labels); err != nil {
		return nil, err
	}
	k.keep(s)
	return s, nil
}

func convert(b *labels.ScratchBuilder, in narthex.Labels) labels.Labels {
	b.Reset()
	for _, l := range in {
		b.Add(l.Name, l.Value)
	}
	b.Sort()
	return b.Labels()
}

func check(ls labels.Labels) error {
	if ls.Get(narthex.MetricName) == "" {
		return errors.New("it has no metric name: set the label __name__")
	}
	if name, dup := ls.HasDuplicateLabelNames(); dup {
		return fmt.Errorf("label %q is given twice", name)
	}
	if !ls.IsValid(model.UTF8Validation) {
		return errors.New("a label's name or value is not UTF-8, or a name is empty")
	}
	return nil
}
