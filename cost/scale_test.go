package cost_test

import (
	"strings"
	"testing"
	"time"

	"narthex/cost"
)

// A million series, reckoned by hand: 32 groups of 31,250, 4 at a time for each of 8;
// 16.7 pushes a second, 150 of which are folded at a time.
func TestScale(t *testing.T) {
	x, err := cost.Scale{Series: 1e6, Interval: time.Minute}.Size()
	if err != nil {
		t.Fatal(err)
	}
	const folds = 1000. / 60 / 150 * 30 * 86400
	for what, c := range map[string]struct{ got, want float64 }{
		"installations":       {float64(x.Installations), 1},
		"groups":              {float64(x.Groups), 32},
		"processor time":      {x.Tick.CPU, 4},
		"a tick's duration":   {x.Tick.Duration.Seconds(), 4 + 4*6*0.1}, // get, put and four writes
		"a fold's duration":   {x.Fold.Duration.Seconds(), 1.6 + 150*1000*6e-6 + 4*2*0.1},
		"folds at a time":     {x.Folds, 3.3 / 9},
		"puts":                {x.Usage[cost.S3Puts], 32*(folds+3*43_200) + 3*43_200},
		"stored":              {x.Usage[cost.S3Storage], 0.049},
		"samples":             {x.Usage[cost.Samples], 43_200 * (1e6 + 37)},
		"groups for DynamoDB": {float64(x.ItemGroups), 200},
		"functions at a time": {x.Running, 3.3/9 + 6.4/60 + 1000./60*0.005},
	} {
		if c.got/c.want < 0.99 || c.got/c.want > 1.01 {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
	if len(x.Alone) > 0 {
		t.Errorf("a million do not fit: %q", x.Alone)
	}
}

// What does not fit is spread, and it is told why.
func TestScaleBends(t *testing.T) {
	before := 0
	for _, n := range []float64{1, 1e5, 1e6, 3e6, 1e7, 1e8, 1e9} {
		for _, c := range []cost.Scale{{Series: n}, {Series: n, Interval: time.Minute}, {Series: n, Every: time.Hour, Interval: time.Minute}, {Series: n, PerPush: 30}} {
			x, err := c.Size()
			if err != nil {
				t.Fatal(err)
			}
			if (x.Installations > 1) != (len(x.Alone) > 0) || x.Folds > 1.6 || x.Tick.Duration > x.Interval/2 || x.Tick.Memory > 10_240 {
				t.Errorf("%+v: %+v", c, x)
			}
			if c.Interval == 0 && c.PerPush == 0 {
				if x.Installations < before {
					t.Errorf("%v series need %d installations, fewer of them needed %d", n, x.Installations, before)
				}
				before = x.Installations
			}
		}
	}
	for _, c := range []struct {
		scale cost.Scale
		why   string
	}{
		{cost.Scale{Series: 1e7}, "a tick takes"},
		{cost.Scale{Series: 1e7, Interval: time.Minute}, "folds run at a time"},
	} {
		if x, err := c.scale.Size(); err != nil || len(x.Alone) == 0 || !strings.Contains(x.Alone[0], c.why) {
			t.Errorf("%+v: %q, want %q first (%v)", c.scale, x.Alone, c.why, err)
		}
	}
	for _, bad := range []cost.Scale{{}, {Series: -1}, {Series: 1e12}, {Series: 1, Interval: time.Millisecond}, {Series: 1, PerPush: 0.5}} {
		if _, err := bad.Size(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
