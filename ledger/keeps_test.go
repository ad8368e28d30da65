package ledger_test

import (
	"strings"
	"testing"
	"time"

	"narthex"
)

// TestKeeps asks about series beside those that the ledger keeps.
func TestKeeps(t *testing.T) {
	c, st := &clock{now: epoch}, newStore(t)
	l := open(t, options(t, t.TempDir(), st, c))
	defer l.Close()
	l.Keeps([]narthex.Series{sample(t, "c_total", 1, 1)}, func(int, string) { t.Error("an empty ledger keeps a series") })
	layout, err := narthex.ParseLayout("1,2")
	if err != nil {
		t.Fatal(err)
	}
	lat := delta(t, "lat", 0)
	lat.Samples = []narthex.Sample{{Histogram: layout.Histogram([]float64{1})}}
	write(t, l, c, "a", delta(t, "c_total", 2), lat)
	c.add(20 * time.Second)
	tick(t, l)
	asked := []string{"c_total", "lat", "lat_count", "lat_bucket", "c_total_count", "free", "free_sum"}
	want := map[string]string{
		"c_total": "the ledger keeps this series (as a counter)", "lat": "as a histogram",
		"lat_count": "the ledger keeps the histogram lat", "lat_bucket": "the ledger keeps the histogram lat",
	}
	var series []narthex.Series
	for _, n := range asked {
		series = append(series, sample(t, n, 1, 1))
	}
	l.Keeps(series, func(i int, why string) {
		if want[asked[i]] == "" || !strings.Contains(why, want[asked[i]]) {
			t.Errorf("%s: %s", asked[i], why)
		}
		delete(want, asked[i])
	})
	for n := range want {
		t.Errorf("%s is not kept", n)
	}
}
