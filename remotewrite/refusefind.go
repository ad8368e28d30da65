package remotewrite

import (
	"net/http"
	"slices"
	"time"

	"narthex"
)

// hunt finds what a receiver won't have of a request that it refused, so that
// only that is dropped.
//
// Receivers differ in what became of the rest. Prometheus rolls a request of 1.0
// back, says nothing of the series, and so has to be asked by halves. Mimir and
// Cortex have stored the rest, and name the first offender. A receiver of 2.0
// has stored the rest, says how much that is and, as Prometheus does, names each
// offender: then nothing has to be sent again.
type hunt struct {
	*worker
	left  int       // requests that may still be sent
	until time.Time // when looking has taken long
	keeps bool      // the receiver stores the rest of what it refuses
	again bool      // samples are being sent a second time, so they may be there
	taken int       // requests that were taken
	alone int       // samples that were refused by themselves
	// doubtful are refused samples that may be stored by an earlier request. They
	// are, if a later sample of their series is taken.
	doubtful []refusal
}

type refusal struct {
	part   part
	reason Reason
	text   string
}

// The bounds of a hunt, in requests. Where the rest is stored, only names are
// looked for.
const (
	maxSearches     = 4096
	maxNameSearches = 64
)

func (w *worker) hunt(parts []part, a answer) error {
	h := &hunt{worker: w, keeps: w.c.endpoint.amazon || keepsRest(&a), again: w.resent}
	h.left = min(2*samplesOf(parts)+16, maxSearches)
	if h.keeps {
		h.left = maxNameSearches
	}
	h.until = time.Now().Add(w.c.o.MaxElapsed)
	if deadline, ok := w.ctx.Deadline(); ok {
		// What is left after it is for the samples that follow.
		h.until = time.Now().Add(min(w.c.o.MaxElapsed, time.Until(deadline)/2))
	}
	w.c.o.Logger.Debug("the receiver refused a request: looking for what it won't have", "status", a.status, "said", said(a.text))
	// An exemplar may be what was refused, and is worth no second request.
	parts = slices.Clone(parts)
	for i := range parts {
		parts[i].exemplars = nil
	}
	if err := h.refused(parts, a); err != nil {
		return err
	}
	return h.resolve(parts)
}

// resolve settles what is doubtful: the newest samples of its series are offered
// once more.
func (h *hunt) resolve(parts []part) error {
	if len(h.doubtful) == 0 {
		return nil
	}
	doubted := make(map[*narthex.Series]bool)
	for _, d := range h.doubtful {
		doubted[d.part.series] = true
	}
	ask := slices.DeleteFunc(newest(parts), func(p part) bool {
		return !doubted[p.series] || !slices.ContainsFunc(h.doubtful, func(d refusal) bool { return later([]part{p}, &d.part) })
	})
	if len(ask) > 0 {
		if _, err := h.half(ask, answer{}); err != nil {
			return err
		}
	}
	for i := range h.doubtful {
		if d := &h.doubtful[i]; doubted[d.part.series] {
			doubted[d.part.series] = false // once for each series
			h.settle(&d.part, d.reason, d.text)
		}
	}
	return nil
}

// newest returns the parts with nothing but their last samples.
func newest(parts []part) []part {
	out := slices.Clone(parts)
	for i := range out {
		out[i].samples = out[i].samples[len(out[i].samples)-1:]
	}
	return out
}

// refused deals with parts that were refused: what the answer names is settled,
// the rest sent again.
func (h *hunt) refused(parts []part, a answer) error {
	for streak := 0; ; streak++ {
		if h.keeps && h.again && !h.totals && classify(a.text).superseded() && samplesOf(parts) > len(parts) {
			// All that is good is stored, by this request or by the one before. The
			// newest samples tell whether their series have a place for them at all.
			parts = newest(parts)
			var err error
			if a, err = h.try(parts); err != nil || a.taken() {
				return err
			}
		}
		rest, suspects, names := h.sift(parts, &a)
		for i := range suspects {
			if err := h.halves(suspects[i:i+1], a, false); err != nil {
				return err
			}
		}
		switch {
		case len(rest) == 0:
			return nil
		case names == 0:
			return h.halves(rest, a, false)
		case streak == 3:
			return h.halves(rest, a, true)
		case h.spent():
			h.giveUp(rest, a)
			return nil
		}
		var err error
		if a, err = h.try(rest); err != nil || a.taken() {
			return err
		}
		parts = rest
	}
}

// sift settles the parts that the answer names. Suspects are named parts of
// several samples of which some may be good; rest has to be sent again; names is
// how many parts were named.
func (h *hunt) sift(parts []part, a *answer) (rest, suspects []part, names int) {
	said := parseRefusal(a.text)
	if len(said) == 0 {
		return parts, nil, 0
	}
	byKey := make(map[string]*named, len(said))
	lines := make(map[string]int, len(said)) // those that are about samples
	var key []byte
	for i := range said {
		key = said[i].labels.AppendKey(key[:0])
		if said[i].reason != ReasonExemplar {
			lines[string(key)]++
		}
		if have := byKey[string(key)]; have == nil || have.reason == ReasonExemplar {
			byKey[string(key)] = &said[i]
		}
	}
	bad, superseded, settled := 0, true, []refusal(nil)
	for i := range parts {
		p := parts[i]
		key = p.series.Labels.AppendKey(key[:0])
		n := byKey[string(key)]
		if n == nil {
			rest = append(rest, p)
			continue
		}
		names++
		if n.reason == ReasonExemplar {
			h.c.stats.add(func(s *Stats) { s.Exemplars++ })
			rest = append(rest, p)
			continue
		}
		bad += min(lines[string(key)], len(p.samples))
		superseded = superseded && n.reason.superseded()
		settled = append(settled, refusal{p, n.reason, n.text})
	}
	// Everything else is there if the counts say so. It is as well if the receiver
	// keeps the rest, and need not be looked at if what it won't have is old
	// totals: the next ones will show what else may be wrong.
	done := a.writtenKnown && a.written == samplesOf(parts)-bad || h.keeps && h.totals && superseded && len(settled) > 0
	for _, r := range settled {
		if len(r.part.samples) > 1 && !done && !h.keeps {
			suspects = append(suspects, r.part)
			continue
		}
		h.drop(r.part, r.reason, r.text)
	}
	if done {
		h.stored(samplesOf(rest))
		return nil, suspects, names
	}
	return rest, suspects, names
}

// halves tells the bad of refused parts by sending them in halves. With implied
// the parts were not sent by themselves, but are all that can be at fault in
// what was.
func (h *hunt) halves(parts []part, a answer, implied bool) error {
	switch {
	case samplesOf(parts) == 1 && implied:
		_, err := h.half(parts, a)
		return err
	case samplesOf(parts) == 1:
		reason := classify(a.text)
		if a.status == http.StatusRequestEntityTooLarge {
			reason = ReasonTooLarge
		}
		h.alone++
		h.drop(parts[0], reason, a.text)
		return nil
	}
	left, right := split(parts)
	taken, err := h.half(left, a)
	switch {
	case err != nil:
		return err
	case taken:
		return h.halves(right, a, true)
	}
	_, err = h.half(right, a)
	return err
}

// half sends parts, deals with the answer, and reports whether all was taken.
func (h *hunt) half(parts []part, a answer) (taken bool, err error) {
	if h.spent() {
		h.giveUp(parts, a)
		return false, nil
	}
	if a, err = h.try(parts); err != nil || a.taken() {
		return err == nil, err
	}
	return false, h.refused(parts, a)
}

// manyAlone is how many samples have to be refused by themselves, and none taken,
// before the others are thought to be like them.
const manyAlone = 16

// spent reports whether the search has cost enough. Time alone does not end it
// for samples that no other will restate: as long as some are taken it goes on,
// until the context ends and the batch is written again.
func (h *hunt) spent() bool {
	late := time.Now().After(h.until)
	return h.left <= 0 || late && (h.totals || h.taken == 0 && h.alone >= manyAlone)
}

// giveUp settles parts of which nobody knows which are bad.
func (h *hunt) giveUp(parts []part, a answer) {
	reason := ReasonUnknown
	if r := classify(a.text); h.totals && r.superseded() || h.taken == 0 && h.alone >= manyAlone {
		reason = r
	}
	for i := range parts {
		h.settle(&parts[i], reason, a.text)
	}
	h.c.o.Logger.Warn("what the receiver refused was not found in time", "series", len(parts), "said", said(a.text))
}

// try sends parts. Those that were doubtful are there if a later sample is taken.
func (h *hunt) try(parts []part) (answer, error) {
	h.left--
	h.c.stats.add(func(n *Stats) { n.Searches++ })
	a, err := h.send(parts, false)
	h.again = h.again || h.resent || h.keeps
	if err == nil && a.taken() {
		h.taken++
	}
	if err != nil || !a.taken() || len(h.doubtful) == 0 {
		return a, err
	}
	kept := h.doubtful[:0]
	for _, d := range h.doubtful {
		if later(parts, &d.part) {
			h.stored(len(d.part.samples))
		} else {
			kept = append(kept, d)
		}
	}
	h.doubtful = kept
	return a, nil
}

// later reports whether parts have a later sample of p's series.
func later(parts []part, p *part) bool {
	for i := range parts {
		if q := &parts[i]; q.series == p.series && q.samples[len(q.samples)-1].Time > p.samples[0].Time {
			return true
		}
	}
	return false
}

// drop settles a refused part, or keeps it until more is known.
func (h *hunt) drop(p part, reason Reason, text string) {
	if h.again && !h.totals && reason.superseded() && reason != ReasonSame {
		h.doubtful = append(h.doubtful, refusal{p, reason, text})
		return
	}
	h.settle(&p, reason, text)
}

// split cuts parts in two, and a single one in two runs of its samples.
func split(parts []part) (left, right []part) {
	if len(parts) > 1 {
		return parts[:len(parts)/2], parts[len(parts)/2:]
	}
	a, b := parts[0], parts[0]
	half := len(a.samples) / 2
	a.samples, b.samples = a.samples[:half], b.samples[half:]
	return []part{a}, []part{b}
}
