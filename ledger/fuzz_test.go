package ledger_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"narthex"
	"narthex/ledger"
)

var update = flag.Bool("update", false, "write the golden files anew")

// full returns a state that has something of everything.
func full(t testing.TB) *ledger.State {
	p := ledger.Policy{Interval: 15 * time.Second, Horizon: time.Hour}
	s := ledger.NewState()
	for i := range 8 {
		now := epoch.Add(time.Duration(i) * time.Minute)
		b := &narthex.Batch{ID: string(rune('a' + i)), Digest: narthex.Digest{1, byte(i)}, Received: now, Series: []narthex.Series{
			{Labels: labels(t, "c_total", "route", "/a", "code", "200"), Type: narthex.TypeCounter, As: narthex.AsDelta, Unit: "things", Help: "Things.", Samples: []narthex.Sample{{Value: 1.5}}},
			gauge(t, "g", float64(i), now.UnixMilli()-5),
			sample(t, "raw", 3, now.UnixMilli()-7),
		}}
		e, err := ledger.NewEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Fold(e, now.UnixMilli(), p); err != nil {
			t.Fatal(err)
		}
		totals := &narthex.Batch{ID: "totals" + b.ID, Cumulative: "source", Received: now, Series: []narthex.Series{
			delta(t, "t_total", float64(10*i)), observe(t, "h", "1, 2", 0.5, 3), observe(t, "n", "native", 0.5, float64(i)),
		}}
		group := &narthex.Batch{ID: "group" + b.ID, Received: now, Group: &narthex.Group{Labels: narthex.Labels{{Name: "job", Value: "j"}}, TTL: time.Hour}, Series: []narthex.Series{
			{Labels: labels(t, "up", "job", "j"), Type: narthex.TypeGauge, Samples: []narthex.Sample{{Value: 1}}},
		}}
		for _, b := range []*narthex.Batch{totals, group} {
			e, err := ledger.NewEntry(b)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Fold(e, now.UnixMilli(), p); err != nil {
				t.Fatal(err)
			}
		}
		if i != 4 {
			tickOf(s, ledger.Grid(now.UnixMilli(), p.Interval), p)
		}
	}
	return s
}

// A checkpoint of version 1 can be read by every later narthex.
func TestStateVersion1(t *testing.T) {
	path := filepath.Join("testdata", "state-v1.bin")
	if *update {
		if err := os.WriteFile(path, full(t).Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ledger.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	leads, values := tickOf(s, epoch.UnixMilli()+9*60*sec, ledger.Policy{})
	const want = `540 c_total{code="200",route="/a"} 12
540 g 7
540 t_total 70
540 h_bucket{le="1.0"} 1
540 h_bucket{le="2.0"} 1
540 h_bucket{le="+Inf"} 2
540 h_count 2
540 h_sum 3.5
540 n 0
540 up{job="j"} 1
540 push_time_seconds{job="j"} 1.80000042e+09
540 push_failure_time_seconds{job="j"} 0
`
	if got := text(leads, values); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if written, ok := s.Lookup(ledger.NewID("", "h"), 0); !ok || written == 0 {
		t.Errorf("id h: known %v, written %d", ok, written)
	}
}

func TestStateErrors(t *testing.T) {
	good := full(t).Encode()
	newer := bytes.Clone(good)
	newer[len("narthex ledger\n")] = 200
	for what, data := range map[string][]byte{
		"empty":         nil,
		"something":     []byte("something else altogether"),
		"cut":           good[:len(good)-1],
		"a newer one":   newer,
		"a flipped bit": append(bytes.Clone(good[:40]), append([]byte{good[40] ^ 1}, good[41:]...)...),
	} {
		if _, err := ledger.Decode(data); err == nil {
			t.Errorf("%s was decoded", what)
		}
	}
}

func FuzzState(f *testing.F) {
	good := full(f).Encode()
	f.Add(good)
	f.Add(ledger.NewState().Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ledger.Decode(resum(data))
		if err != nil {
			return
		}
		enc := s.Encode()
		again, err := ledger.Decode(enc)
		if err != nil {
			t.Fatalf("the encoding of a decoded state: %v", err)
		}
		a, b := s.Sizes()
		if c, d := again.Sizes(); a != c || b != d {
			t.Fatalf("sizes %d %d became %d %d", a, b, c, d)
		}
		again.Lookup(ledger.NewID("", "a"), 0)
		tickOf(again, epoch.UnixMilli()+9*60*sec, ledger.Policy{})
	})
}

// resum gives data a good checksum, so that fuzzing gets past it.
func resum(data []byte) []byte {
	if len(data) < 4 {
		return data
	}
	return ledger.AppendSum(bytes.Clone(data[:len(data)-4]))
}

func FuzzRecord(f *testing.F) {
	e, err := ledger.NewEntry(&narthex.Batch{ID: "a", Received: epoch, Series: []narthex.Series{delta(f, "c_total", 1), gauge(f, "g", 2, 5), sample(f, "s", 3, 7)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Encode())
	e, err = ledger.NewEntry(&narthex.Batch{ID: "a", Cumulative: "s", Received: epoch, Series: []narthex.Series{delta(f, "c_total", 1), observe(f, "h", "1", 2), observe(f, "n", "native", 2)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Encode())
	f.Add([]byte{2, 0x80, 0x01, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := ledger.ParseRecord(data)
		if err != nil {
			return
		}
		third, err := ledger.ParseRecord(again)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%x became %x (%v)", again, third, err)
		}
	})
}

func FuzzLog(f *testing.F) {
	dir := f.TempDir()
	c, st := &clock{now: epoch}, newStore(f)
	l := open(f, options(f, dir, st, c))
	write(f, l, c, "a", delta(f, "c_total", 1))
	write(f, l, c, "b", gauge(f, "g", 1, 3))
	data, err := os.ReadFile(filepath.Join(dir, "log", "00000001.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, true)
	f.Add(data[:len(data)-3], true)
	f.Add(data[:50], false)
	f.Fuzz(func(t *testing.T, data []byte, last bool) {
		path := filepath.Join(t.TempDir(), "00000001.log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, torn, err := ledger.ReadLog(path, last)
		if err != nil || torn == 0 || n == 0 {
			return
		}
		// What was repaired reads the same again, with nothing to repair.
		if m, torn, err := ledger.ReadLog(path, false); err != nil || m != n || torn != 0 {
			t.Fatalf("%d records became %d, %d torn, %v", n, m, torn, err)
		}
	})
}
