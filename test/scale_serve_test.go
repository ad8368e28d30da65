package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A real narthex serve that has many series, is killed and started again: how long
// each takes and in what memory. The totals are those that were pushed.
func TestScaleServe(t *testing.T) {
	for _, x := range []struct {
		series int
		store  bool // with the embedded one
	}{{scaled(100_000, 3_000), true}, {scaled(100_000, 3_000), false}, {scaled(1_000_000, 6_000), false}} {
		t.Run(fmt.Sprintf("%d series, store %v", x.series, x.store), func(t *testing.T) { scaleServe(t, x.series, x.store) })
	}
}

func scaleServe(t *testing.T, series int, store bool) {
	where := fmt.Sprintf("remote_write: [{url: %q}]\nstorage: none\n", newCounter(t).url)
	if store {
		where = ""
	}
	s := newServer(t, fmt.Sprintf("%[1]sscrape_interval: %[3]v\nlimits: {series: %[2]d, series_per_source: %[2]d, series_per_identity: %[2]d}\n", where, 2*series, time.Duration(scaled(15, 1))*time.Second))
	start := time.Now()
	pushThings(t, s, series)
	took := time.Since(start)
	eventually(t, "zeros and values are written and a checkpoint is made, so that there is something to start from", func() bool {
		return ownMetric(t, s, "narthex_ledger_samples_written_total") >= float64(2*series) && ownMetric(t, s, "narthex_ledger_checkpoints_total") > 0
	})
	if ownMetric(t, s, "narthex_ledger_checkpoint_duration_seconds") <= 0 {
		t.Error("the checkpoint took no time")
	}
	before := s.things(series)
	t.Logf("%d pushes of 30 series in %v (%.0f/s); %s", (series+29)/30, took.Round(time.Millisecond), float64(series)/30/took.Seconds(), s.weighs())
	for range 2 {
		s.kill()
		start = time.Now()
		s.start()
		ready := time.Since(start)
		s.get("/-/ready")
		t.Logf("killed, and ready %v after it was started again, with %.0f pushes from the log; %s", ready.Round(time.Millisecond), ownMetric(t, s, "narthex_ledger_replayed_entries_total"), s.weighs())
		if after := s.things(series); after != before {
			t.Errorf("the totals were %v and are %v", before, after)
		}
	}
}

// weighs tells of memory and the last checkpoint.
func (s *server) weighs() string {
	return fmt.Sprintf("%.0f MiB resident at most; %.0f checkpoints, the last took %.2f s", mebibytes(usageOf(s.t, s.Process().Pid).peak),
		ownMetric(s.t, s, "narthex_ledger_checkpoints_total"), ownMetric(s.t, s, "narthex_ledger_checkpoint_duration_seconds"))
}

// thing is the total that a series is pushed to.
func thing(i int) int { return 1 + i%1000 }

// pushThings pushes so many counters, 30 at a time, from 16 senders.
func pushThings(t *testing.T, s *server, series int) {
	t.Helper()
	const each = 30
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	var next atomic.Int64
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for first := int(next.Add(each)) - each; first < series; first = int(next.Add(each)) - each {
				var b strings.Builder
				for i := first; i < min(first+each, series); i++ {
					fmt.Fprintf(&b, `,{"name":"things_total","labels":{"service":"service-%d","method":"GET","route":"/api/v1/things/%d","status":"200"},"add":%d}`, i%50, i, thing(i))
				}
				resp, err := client.Post(s.url()+"/api/v1/push", "application/json", strings.NewReader(`{"counters":[`+b.String()[1:]+`]}`))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("a push was answered %s", resp.Status)
					return
				}
			}
		})
	}
	senders.Wait()
}

// totals are how many series there are and their sum.
type totals struct{ series, sum int }

// things reads the totals from an export, and each of them has to be what was pushed.
func (s *server) things(series int) (got totals) {
	s.t.Helper()
	resp, err := http.Get(s.url() + "/api/v1/ledger/export")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var line struct {
			Series struct {
				Labels map[string]string
				Value  float64
			}
		}
		if text := lines.Text(); !strings.HasPrefix(text, `{"series":`) || !strings.Contains(text, "things_total") {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			s.t.Fatal(err)
		}
		i, err := strconv.Atoi(strings.TrimPrefix(line.Series.Labels["route"], "/api/v1/things/"))
		if err != nil || line.Series.Value != float64(thing(i)) {
			s.t.Fatalf("series %v has the total %v, want %d", line.Series.Labels, line.Series.Value, thing(i))
		}
		got.series, got.sum = got.series+1, got.sum+int(line.Series.Value)
	}
	if err := lines.Err(); err != nil || got.series != series {
		s.t.Fatalf("the ledger has %d series, want %d (%v)", got.series, series, err)
	}
	return got
}
