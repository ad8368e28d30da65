package shard_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"narthex"
	"narthex/shard"
	"narthex/state"
)

// A process that pushes, ticks and regroups is killed at each of its saves in
// turn, before it is done and after. The next one does the same again under the
// same ids: every push counts once, and the series never fall.
func TestKilledAtEachSave(t *testing.T) {
	errKilled := errors.New("killed")
	for at, ended := 1, false; !ended; at++ {
		for _, done := range []bool{false, true} {
			c, w := &clock{now: epoch}, newWatched()
			st := &store{t: t, series: map[string][]narthex.Sample{}}
			n, killed := 0, new(atomic.Bool)
			w.fail = func(string) (bool, error) {
				if n++; n > at {
					return false, errKilled
				}
				if n == at {
					killed.Store(true)
					return done, errKilled
				}
				return false, nil
			}
			st.fail = func() error { // who is dead writes nothing
				if killed.Load() {
					return errKilled
				}
				return nil
			}
			live := func() error {
				s, err := shard.Open(t.Context(), shard.Options{Store: w, Groups: 2, OpenIDs: 2, Now: c.Now, Logger: slog.New(slog.DiscardHandler), Destinations: map[string]narthex.Sink{"store": st}})
				for i := 0; i < 12 && err == nil; i++ {
					if err = s.Write(t.Context(), batch(t, c, fmt.Sprint(i), "a_total", "b_total", fmt.Sprintf("c%d_total", i))); err != nil {
						break
					}
					switch i {
					case 3, 7:
						c.add(15 * time.Second)
						err = s.Tick(t.Context())
					case 5:
						err = s.Regroup(t.Context(), 5)
					case 9:
						err = s.Regroup(t.Context(), 1)
					}
				}
				return err
			}
			err := live()
			if ended = err == nil; ended {
				break // there is no such save any more
			}
			w.fail = nil
			killed.Store(false)
			c.add(15 * time.Second)
			if err := live(); err != nil {
				t.Fatalf("killed at save %d (done: %v), then: %v", at, done, err)
			}
			s := open(t, w, c, 1, map[string]narthex.Sink{"store": st})
			c.add(15 * time.Second)
			if err := s.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			truth := map[string]float64{"a_total": 12, "b_total": 12}
			for i := range 12 {
				truth[fmt.Sprintf("c%d_total", i)] = 1
			}
			if st.check(truth); t.Failed() {
				t.Fatalf("killed at save %d, done: %v", at, done)
			}
		}
		if at > 1000 {
			t.Fatal("it never ends")
		}
		if ended && at < 50 {
			t.Errorf("there were %d saves only", at)
		}
	}
}

// A store that says of a new value that it is there, and is wrong, loses nothing: the
// regrouping has failed, and is finished later.
func TestRegroupBelievesNoConflict(t *testing.T) {
	c, w := &clock{now: epoch}, newWatched()
	st := &store{t: t, series: map[string][]narthex.Sample{}}
	s := open(t, w, c, 4, map[string]narthex.Sink{"store": st})
	truth := map[string]float64{}
	for i := range 40 {
		name := fmt.Sprintf("c%d_total", i)
		truth[name]++
		if err := s.Write(t.Context(), batch(t, c, name, name)); err != nil {
			t.Fatal(err)
		}
	}
	wrong := 1
	w.fail = func(key string) (bool, error) {
		if strings.HasPrefix(key, "e2/") && wrong > 0 {
			wrong--
			return false, state.ErrConflict
		}
		return false, nil
	}
	if err := s.Regroup(t.Context(), 2); narthex.KindOf(err) != narthex.Unavailable || wrong != 0 {
		t.Fatalf("%v, %d", err, wrong)
	}
	c.add(15 * time.Second)
	if err := s.Tick(t.Context()); err != nil || s.Groups() != 2 {
		t.Fatal(err, s.Groups())
	}
	c.add(15 * time.Second)
	if err := s.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	st.check(truth)
}
