package test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex/remotewrite"
)

// recorder is what stands before a receiver and writes down each sample that it
// is sent. One series must not be sent two values for one time, whoever sends.
type recorder struct {
	t     testing.TB
	to    string // the receiver's address, "" for none
	url   string
	block func(request []string) bool // of a request that is to get no answer

	mu       sync.Mutex
	requests [][]string                  // as series value@time
	values   map[string]map[int64]uint64 // by series and time, the bits
	again    int                         // samples that were sent before, identical
	refused  int                         // requests that the receiver answered 4xx
	first    []string                    // samples in them that had not been sent before
}

func newRecorder(t testing.TB, to string) *recorder {
	r := &recorder{t: t, to: to, values: make(map[string]map[int64]uint64)}
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	r.url = server.URL
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	packed, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender was killed
	}
	samples, first := r.decode(req, packed)
	if r.block != nil && r.block(samples) {
		panic(http.ErrAbortHandler)
	}
	if r.to == "" {
		w.Header().Set(remotewrite.HeaderSamplesWritten, fmt.Sprint(len(samples)))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out, err := http.NewRequest(http.MethodPost, r.to, bytes.NewReader(packed))
	if err != nil {
		r.t.Error(err)
		return
	}
	out.Header = req.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 4 {
		r.mu.Lock()
		r.refused++
		r.first = append(r.first, first...)
		r.mu.Unlock()
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// decode writes the request down and returns it as text, with those of its samples
// that had not been sent before.
func (r *recorder) decode(req *http.Request, packed []byte) (list, first []string) {
	body, err := s2.Decode(nil, packed)
	if err != nil {
		r.t.Errorf("a request is not snappy: %v", err)
		return nil, nil
	}
	version := remotewrite.V1
	if strings.Contains(req.Header.Get("Content-Type"), "v2") {
		version = remotewrite.V2
	}
	const lots = 1 << 20
	in, err := remotewrite.Decode(version, string(body), remotewrite.Limits{Series: lots, Values: 20 * lots, Labels: 50 * lots})
	if err != nil {
		r.t.Errorf("a request can't be read: %v", err)
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range in.Series {
		name := s.Labels.String()
		if r.values[name] == nil {
			r.values[name] = make(map[int64]uint64)
		}
		for _, x := range s.Samples {
			text := fmt.Sprintf("%s %v@%d", name, x.Value, x.Time)
			list = append(list, text)
			bits := math.Float64bits(x.Value)
			if have, ok := r.values[name][x.Time]; !ok {
				r.values[name][x.Time] = bits
				first = append(first, text)
			} else if have != bits {
				r.t.Errorf("%s was sent %v and %v for the time %d", name, math.Float64frombits(have), x.Value, x.Time)
			} else {
				r.again++
			}
			if ahead := time.Until(time.UnixMilli(x.Time)); ahead > 0 {
				r.t.Errorf("%s was written %v ahead of now", name, ahead)
			}
		}
	}
	slices.Sort(list)
	r.requests = append(r.requests, list)
	return list, first
}

// check compares what the receiver has with the truth: the last values, that each
// begins at zero, and that none ever falls.
func (r *recorder) check(rc receiver, truth map[string]float64) {
	r.t.Helper()
	now := time.Now()
	for what, want := range map[string]func(total float64) float64{
		`last_over_time({__name__=~"c.*_total"}[1h])`: func(total float64) float64 { return total },
		`min_over_time({__name__=~"c.*_total"}[1h])`:  func(float64) float64 { return 0 },
		`resets({__name__=~"c.*_total"}[1h])`:         func(float64) float64 { return 0 },
	} {
		if strings.HasPrefix(what, "last") {
			eventually(r.t, "the totals are there", func() bool { return len(rc.query(r.t, what, now)) >= len(truth) })
		}
		// The functions drop the name, the label says which counter it is.
		got := map[string]string{}
		for _, x := range rc.query(r.t, what, now) {
			got[x.Metric["which"]] = x.Value.v
		}
		for which, total := range truth {
			if w := fmt.Sprint(want(total)); got[which] != w {
				r.t.Errorf("%s of %s is %q, want %s", what, which, got[which], w)
			}
		}
	}
}
