package shard_test

import (
	"context"
	"testing"
	"time"

	"narthex"
	"narthex/shard"
	"narthex/state"
)

// Whatever stands in the store, it is read or refused, and never a panic.
func FuzzStored(f *testing.F) {
	c, mem := &clock{now: epoch}, new(state.Memory)
	sinks := map[string]narthex.Sink{"none": narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil })}
	s := open(f, mem, c, 1, sinks)
	bad := batch(f, c, "bad", "a_total", "a_total", "b_total")
	bad.Series[1].As, bad.Series[1].Type = narthex.AsGauge, narthex.TypeGauge
	if err := s.Write(f.Context(), bad); err != nil {
		f.Fatal(err)
	}
	for _, key := range []string{"layout", "e1/000"} {
		e, err := mem.Load(f.Context(), key)
		if err != nil || e.Data == nil {
			f.Fatal(key, err)
		}
		f.Add(key == "layout", e.Data)
		f.Add(key == "layout", e.Data[:len(e.Data)/2])
	}
	f.Add(true, []byte(`{"version":1,"epoch":1,"groups":2,"next":3}`))
	f.Add(true, []byte(`{"version":1,"epoch":1,"groups":1000000}`))
	f.Add(false, []byte("narthex shard\n\x01\x01\x00"))
	f.Fuzz(func(t *testing.T, layout bool, data []byte) {
		mem := new(state.Memory)
		key := "e1/000"
		if layout {
			key = "layout"
		}
		if data == nil {
			data = []byte{}
		}
		if _, err := mem.Save(t.Context(), key, state.Entry{}, data); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s, err := shard.Open(ctx, shard.Options{Store: mem, Now: c.Now, Destinations: sinks})
		if err != nil {
			return
		}
		_ = s.Write(ctx, batch(t, c, "id", "a_total"))
		_ = s.Tick(ctx)
		_, _, _ = s.Lookup(ctx, "", "id")
	})
}
