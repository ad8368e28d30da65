package remotewrite

import (
	"net/http"
	"time"
)

// worker sends the requests of a share of a delivery, one after the other.
type worker struct {
	*delivery
	enc   encoder
	chunk []part // of the request that is being filled
	count int    // samples in it
	zip   []byte
	// resent says that samples of the chunk may be stored already: an attempt
	// ended without an answer.
	resent bool
}

// forget drops what the worker holds of the batch.
func (w *worker) forget() {
	w.enc.forget()
	clear(w.chunk)
	w.chunk, w.delivery = w.chunk[:0], nil
}

// share sends the parts whose hash is k of n, cut into requests.
func (w *worker) share(k, n uint64) error {
	w.begin()
	if k == 0 {
		w.addMetadata()
	}
	for i := range w.parts {
		if w.parts[i].hash%n != k {
			continue
		}
		for rest := w.parts[i]; len(rest.samples) > 0; {
			if err := w.put(&rest); err != nil {
				return err
			}
		}
	}
	return w.flush()
}

// put moves samples of rest into the request, as many as fit, and sends it once
// it is full.
func (w *worker) put(rest *part) error {
	p, m := *rest, w.enc.mark()
	n := min(len(p.samples), w.c.o.MaxSamples-w.count)
	for {
		if p.samples = rest.samples[:n]; n < len(rest.samples) {
			p.exemplars = nil // they go with the last
		}
		w.enc.add(&p)
		if w.enc.size() <= w.c.o.MaxBytes {
			break
		}
		if len(w.chunk) > 0 {
			w.enc.rewind(m)
			return w.flush()
		}
		if n == 1 {
			break // one sample is sent whatever it takes
		}
		w.enc.rewind(m)
		n /= 2
	}
	w.chunk = append(w.chunk, p)
	w.count += n
	rest.samples = rest.samples[n:]
	if w.count < w.c.o.MaxSamples {
		return nil
	}
	return w.flush()
}

// begin starts a request.
func (w *worker) begin() {
	w.enc.reset(w.c.version())
	w.chunk, w.count = w.chunk[:0], 0
	w.resent = false
}

// addMetadata puts the metadata that is due into a request of 1.0.
func (w *worker) addMetadata() {
	if w.enc.version != V1 {
		return
	}
	for _, s := range w.metadata {
		w.enc.addMetadata(s)
	}
}

// flush sends the request that was filled, and begins another.
func (w *worker) flush() error {
	if len(w.chunk) == 0 {
		return nil
	}
	if w.failed.Load() {
		w.begin()
		return nil // the batch will be written again
	}
	a, err := w.send(w.chunk, true)
	if err == nil && !a.taken() {
		err = w.hunt(w.chunk, a)
	}
	if err != nil {
		n := samplesOf(w.chunk)
		w.c.stats.add(func(s *Stats) { s.Failed += uint64(n) })
	}
	w.begin()
	return err
}

func samplesOf(parts []part) (n int) {
	for i := range parts {
		n += len(parts[i].samples)
	}
	return n
}

// encode writes the parts in a version.
func (w *worker) encode(v Version, parts []part) {
	w.enc.reset(v)
	for i := range parts {
		w.enc.add(&parts[i])
	}
}

// send sends the parts until the receiver has taken or refused them, and falls
// back to 1.0 if it must. With filled, the encoder has them already.
func (w *worker) send(parts []part, filled bool) (answer, error) {
	if v := w.c.version(); !filled || v != w.enc.version {
		w.encode(v, parts)
	}
	for {
		v := w.enc.version
		a, err := w.attempts(v, w.enc.message())
		if err != nil {
			return a, err
		}
		if v == V2 {
			if why := w.c.unread(&a); why != "" {
				w.c.fallBack(why)
				w.encode(V1, parts)
				continue
			}
		}
		if a.taken() {
			w.c.proven.Store(true)
			w.account(&a, parts)
			return a, nil
		}
		return a, w.c.misconfigured(&a)
	}
}

// unread says why an answer to 2.0 means that the receiver did not read it, ""
// if it did.
func (c *Client) unread(a *answer) string {
	switch {
	case a.writtenKnown:
		c.confirmed.Store(true)
	case a.status == http.StatusUnsupportedMediaType:
		return "it answered " + a.line()
	case a.taken():
		return "it answered " + a.line() + " without saying what it wrote"
	case a.status == http.StatusBadRequest && !c.confirmed.Load() && wrongVersion(a.text):
		return "it answered " + a.line() + ": " + said(a.text)
	}
	return ""
}

// account counts a request that was taken.
func (w *worker) account(a *answer, parts []part) {
	sent := samplesOf(parts)
	short := 0
	if a.writtenKnown {
		short = max(0, sent-a.written)
	}
	now := w.c.o.Now()
	w.c.stats.add(func(n *Stats) {
		n.Samples += uint64(sent)
		n.Short += uint64(short)
		n.LastSuccess, n.LastError, n.LastFailure = now, "", time.Time{}
	})
	if short > 0 {
		w.c.o.Logger.Warn("the receiver says that it took a request, and that it wrote less than was in it", "sent", sent, "written", a.written)
	}
}
