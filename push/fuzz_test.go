package push_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"narthex"
	"narthex/ledger"
	"narthex/push"
)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		one, ``, `null`, `[]`, `{}`, `{"series":{}}`,
		`{"service":"shop","id":"x","counters":[{"name":"a_total","labels":{"b":"\ud83d\ude00\n"},"add":1e3},{"name":"a_total","add":-1}]}`,
		`{"gauges":[{"name":"g","set":-0.5,"timestamp":1767225599000},{"name":"g","set":1}]}`,
		`{"series":[{"labels":{"__name__":"a"},"samples":[{"value":1,"timestamp":9e18},{"value":1}],"as":"delta"},{"labels":{"__name__":"a"},"as":"gauge","samples":[]}]}`,
		`{"series":{"labels":{"__name__":"s_total","x":""},"samples":[{"value":1e999},{"value":1,"timestamp":-1}]}}`,
		`{"histograms":[{"name":"h","labels":{"a":"b"},"observe":[0.1,-2,1e999,3e5],"buckets":"native"},{"name":"h","observe":[1]},{"name":"h","observe":[2],"buckets":"default"},{"name":"g","observe":[]}]}`,
		"{\"counters\":[{\"name\":\"\xff\",\"add\":0}]}",
	} {
		f.Add([]byte(s))
	}
	o := push.Options{
		Names:  narthex.NameScheme{MaxLabels: 10, MaxName: 20, MaxValue: 30},
		Limits: push.Limits{Series: 50},
		Rules:  []push.Rule{{Match: map[string]*regexp.Regexp{"__name__": regexp.MustCompile(`^.*_total$`)}, As: narthex.AsDelta}},
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := o.Decode(body, now)
		if err != nil {
			if !narthex.IsRejected(err) || err.Error() == "" || len(err.Error()) > 4096 {
				t.Fatalf("got the error %q of kind %d", err, narthex.KindOf(err))
			}
			return
		}
		// Only bytes that are not UTF-8 are taken more gently than by the
		// standard library, which makes U+FFFD of them.
		if utf8.Valid(body) && !json.Valid(body) {
			t.Fatalf("took what is not JSON: %q", body)
		}
		checkPush(t, o, p)
	})
}

// checkPush looks at what holds for each push that was decoded.
func checkPush(t *testing.T, o push.Options, p *push.Push) {
	seen := map[string]bool{}
	for _, s := range p.Batch.Series {
		key := string(s.Labels.AppendKey(nil))
		if err := o.Names.Check(s.Labels); err != nil || seen[key] || len(s.Samples) == 0 {
			t.Fatalf("series %s: %v, seen: %v, samples %d", s.Labels, err, seen[key], len(s.Samples))
		}
		seen[key] = true
		if again, err := narthex.NewLabels(append(narthex.Labels{}, s.Labels...)...); err != nil || again.String() != s.Labels.String() {
			t.Fatalf("the labels of %s are not in order", s.Labels)
		}
		for i, x := range s.Samples {
			if x.Time <= 0 || x.Time > now.UnixMilli() || math.IsNaN(x.Value) || math.IsInf(x.Value, 0) || s.As == narthex.AsDelta && x.Value < 0 {
				t.Fatalf("series %s: sample %+v", s.Labels, x)
			}
			for _, y := range s.Samples[:i] {
				if s.As == narthex.AsSample && x.Time == y.Time {
					t.Fatalf("series %s: two samples at %d", s.Labels, x.Time)
				}
			}
		}
		if s.As == narthex.AsGauge && len(s.Samples) != 1 {
			t.Fatalf("gauge %s has %d values", s.Labels, len(s.Samples))
		}
	}
	if p.Batch.ID == "" {
		p.Batch.ID = "x"
	}
	if _, err := ledger.NewEntry(p.Batch); err != nil {
		t.Fatalf("the ledger says %v", err)
	}
	r := p.Receipt()
	if n := r.Accepted + len(p.Batch.Rejected); n != p.Entries || r.Accepted < len(p.Batch.Series) || p.Entries < 1 {
		t.Fatalf("%d accepted in %d series, %d rejected, of %d", r.Accepted, len(p.Batch.Series), len(p.Batch.Rejected), p.Entries)
	}
}

// TestDecodeAgrees holds the scanner's numbers and strings against
// encoding/json's.
func TestDecodeAgrees(t *testing.T) {
	for _, number := range []string{
		"0", "-0", "1", "-1", "0.1", "1e5", "1E-5", "123456789012345", "1234567890123456", "9007199254740993",
		"0.30000000000000004", "1.7976931348623157e308", "5e-324", "1e-400", "-12.5e+2",
	} {
		var want float64
		if err := json.Unmarshal([]byte(number), &want); err != nil {
			t.Fatal(err)
		}
		p, err := push.Options{}.Decode([]byte(`{"gauges":[{"name":"a","set":`+number+`}]}`), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Batch.Series[0].Samples[0].Value; got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("%s: got %v, want %v", number, got, want)
		}
	}
	for r := rune(0); r <= utf8.MaxRune; r += 1 + r/64 {
		if !utf8.ValidRune(r) {
			continue
		}
		for _, want := range []string{"x" + string(r) + "y", string(r) + `\"`} {
			b, _ := json.Marshal(want)
			p, err := push.Options{}.Decode([]byte(`{"gauges":[{"name":"a","labels":{"v":`+string(b)+`},"set":1}]}`), now)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Batch.Series[0].Labels.Get("v"); got != want {
				t.Errorf("%s: got %q, want %q", b, got, want)
			}
		}
	}
}

// thirty is a push of 30 series, about 4 kB.
func thirty() []byte {
	var b strings.Builder
	b.WriteString(`{"service":"shop","id":"4bf92f3577b34da6a3ce929d0e0e4736","counters":[`)
	for i := range 30 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"http_requests_total","labels":{"method":"GET","path":"/v1/users/%d","status":"200","country":"ch"},"add":%d}`, i, i+1)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func BenchmarkDecode(b *testing.B) {
	body := thirty()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := push.Options{}.Decode(body, now)
		if err != nil || len(p.Batch.Series) != 30 {
			b.Fatal(err)
		}
	}
}
