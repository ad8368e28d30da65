package config_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/config"
)

func TestLimitsOf(t *testing.T) {
	c, err := config.Parse("x.yml", []byte(`
limits:
  identities: {ci: {series_per_source: 0, pushes_per_second: 5}, "": {burst: 1m}}
  samples_per_second: 100
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := config.SenderLimits{SeriesPerPush: 10000, SeriesPerSource: 50000, SeriesPerIdentity: 1000000, SamplesPerSecond: 100, Burst: 10 * time.Second}
	ci, none := all, all
	ci.SeriesPerSource, ci.PushesPerSecond = 0, 5
	none.Burst = time.Minute
	for identity, want := range map[string]config.SenderLimits{"ci": ci, "": none, "else": all} {
		if d := cmp.Diff(want, c.Limits.Of(identity)); d != "" {
			t.Errorf("%q (-want +got)\n%s", identity, d)
		}
	}
}

func TestTimeRules(t *testing.T) {
	c, err := config.Parse("x.yml", []byte(`
push:
  time:
    - {match: {service: "edge-.*"}, identity: ci, policy: clamp, max_future: 0}
    - {match: {__name__: x}, policy: now}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Push.Time[0]
	if r.Policy != "clamp" || r.MaxAge != time.Hour || r.MaxFuture != 0 || !r.Identity.MatchString("ci") || r.Identity.MatchString("cia") || !r.Match["service"].MatchString("edge-1") {
		t.Errorf("got %+v", r)
	}
	if c.Push.Time[1].Policy != "now" || c.Push.Time[1].Identity != nil {
		t.Errorf("got %+v", c.Push.Time[1])
	}
}
