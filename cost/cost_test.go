package cost_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"narthex/cost"
)

func prices(t *testing.T) *cost.Prices {
	t.Helper()
	p, err := cost.Default()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func near(a, b float64) bool { return math.Abs(a-b) < 5e-7*math.Max(1, math.Abs(b)) }

// TestBills compares bills with calculations by hand.
func TestBills(t *testing.T) {
	p := prices(t)
	for _, c := range []struct {
		usage cost.Usage
		free  bool
		want  float64
	}{
		{cost.Usage{}, false, 0},
		// The article: 178,560 requests of 300 ms with 128 MB.
		{cost.Usage{cost.LambdaRequests: 178_560}, false, 0.035712},
		{cost.Usage{cost.LambdaX86: 6_696}, false, 0.1116002},
		{cost.Usage{cost.LambdaRequests: 178_560, cost.LambdaX86: 6_696}, false, 0.1473122},
		{cost.Usage{cost.LambdaRequests: 178_560, cost.LambdaX86: 6_696}, true, 0},
		{cost.Usage{cost.LambdaRequests: 3_000_000}, true, 0.40},
		{cost.Usage{cost.LambdaRequests: 3_000_000}, false, 0.60},
		{cost.Usage{cost.LambdaArm: 1_000_000}, false, 13.3334},
		{cost.Usage{cost.LambdaArm: 1_000_000}, true, 8.00004},
		{cost.Usage{cost.LambdaX86: 6_000_000_000}, false, 100_000.2},
		{cost.Usage{cost.LambdaX86: 7_000_000_000}, false, 100_000.2 + 15_000},
		{cost.Usage{cost.SQSRequests: 2_500_000}, false, 1.00},
		{cost.Usage{cost.SQSRequests: 2_500_000}, true, 0.60},
		{cost.Usage{cost.Scheduler: 43_200}, false, 0.0432},
		{cost.Usage{cost.Scheduler: 43_200}, true, 0},
		{cost.Usage{cost.S3Puts: 10_000, cost.S3Gets: 10_000}, false, 0.054},
		{cost.Usage{cost.S3Storage: 100}, true, 2.30},
		{cost.Usage{cost.DynamoWrites: 4_000_000, cost.DynamoReads: 8_000_000}, false, 3.50},
		{cost.Usage{cost.DataOut: 150}, true, 4.50},
		{cost.Usage{cost.DataOut: 20_240}, false, 921.6 + 850},
		// A series at 15 s: 172,800 samples a month.
		{cost.Usage{cost.Samples: 172_800}, false, 0.015552},
		{cost.Usage{cost.Samples: 2_000_000_000}, false, 180},
		{cost.Usage{cost.Samples: 3_000_000_000}, false, 180 + 35},
		{cost.Usage{cost.Samples: 252_000_000_000}, false, 180 + 8750},
		{cost.Usage{cost.Samples: 352_000_000_000}, false, 180 + 8750 + 1600},
		{cost.Usage{cost.Samples: 140_000_000}, true, 9},
		{cost.Usage{cost.SampleStorage: 30}, true, 0.60},
		{cost.Usage{cost.QuerySamples: 500e9}, true, 30},
		{cost.Usage{cost.CollectorHours: 720}, false, 28.80},
	} {
		b, err := p.Bill(c.usage, c.free)
		if err != nil || !near(b.Total, c.want) {
			t.Errorf("%v, free %t: %v, want %v; %v", c.usage, c.free, b.Total, c.want, err)
			continue
		}
		sum := 0.0
		_, parts := b.Components()
		for _, x := range parts {
			sum += x
		}
		if !near(sum, b.Total) {
			t.Errorf("%v: the components are %v, all is %v", c.usage, sum, b.Total)
		}
	}
	for _, bad := range []cost.Usage{{"x": 1}, {cost.Samples: -1}, {cost.Samples: math.NaN()}, {cost.Samples: math.Inf(1)}} {
		if _, err := p.Bill(bad, false); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

// TestPlans compares what plans use with calculations by hand, for months of 30 days.
func TestPlans(t *testing.T) {
	for name, c := range map[string]struct {
		plan cost.Plan
		want cost.Usage
	}{
		"the article": {cost.Plan{Requests: 178_560, Duration: 300 * time.Millisecond, Memory: 128, Arch: "x86_64"},
			cost.Usage{cost.LambdaRequests: 178_560, cost.LambdaX86: 6_696}},
		"pull": {cost.Plan{Targets: 10, Mode: cost.Pull, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 1_728_000, cost.LambdaArm: 172_800, cost.Samples: 43_200_000, cost.SampleStorage: 0.0864, cost.DataOut: 6.912}},
		"push": {cost.Plan{Targets: 10, Mode: cost.Push, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 216_000, cost.LambdaArm: 21_600, cost.Samples: 43_200_000, cost.SampleStorage: 0.0864,
				cost.Scheduler: 43_200, cost.SQSRequests: 43_200 + 345_600, cost.S3Gets: 172_800}},
		"push each minute": {cost.Plan{Targets: 10, Interval: time.Minute, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 43_200, cost.LambdaArm: 4_320, cost.Samples: 10_800_000, cost.SampleStorage: 0.0216, cost.Scheduler: 43_200, cost.S3Gets: 43_200}},
		"twenty regions": {cost.Plan{Targets: 1, Interval: time.Minute, Regions: 20, Memory: 1024, Duration: time.Second},
			cost.Usage{cost.LambdaRequests: 864_000, cost.LambdaArm: 864_000, cost.Samples: 21_600_000, cost.SampleStorage: 0.0432, cost.Scheduler: 864_000, cost.S3Gets: 864_000}},
		"series": {cost.Plan{Series: 1000}, cost.Usage{cost.Samples: 172_800_000, cost.SampleStorage: 0.3456}},
		"series that rarely change": {cost.Plan{Series: 1000, Busy: 0.1},
			cost.Usage{cost.Samples: 17_280_000 + 900*21_600, cost.SampleStorage: (17_280_000 + 900*21_600) * 2e-9}},
		"pushes": {cost.Plan{Series: 100, Pushes: 1_000_000, Duration: 100 * time.Millisecond, Memory: 1024, Interval: time.Minute},
			cost.Usage{cost.Samples: 4_320_000, cost.SampleStorage: 0.00864, cost.LambdaRequests: 1_143_200, cost.LambdaArm: 114_320,
				cost.SQSRequests: 1_200_000, cost.Scheduler: 43_200, cost.S3Puts: 143_200, cost.S3Gets: 143_200}},
	} {
		got, err := c.plan.Usage()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for item, n := range c.want {
			if !near(got[item], n) {
				t.Errorf("%s: %v %s, want %v", name, got[item], item, n)
			}
		}
		for item, n := range got {
			if _, ok := c.want[item]; !ok && n != 0 {
				t.Errorf("%s: %v %s, want none", name, n, item)
			}
		}
	}
	for _, bad := range []cost.Plan{{Arch: "mips"}, {Memory: 64}, {Duration: time.Hour}, {Mode: "x"}, {Interval: time.Millisecond}, {Busy: 2}, {Targets: -1}} {
		if _, err := bad.Usage(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// The levers say what each change saves, and the comparison has what the plan costs.
func TestLevers(t *testing.T) {
	p := prices(t)
	plan := cost.Plan{Targets: 50, Mode: cost.Pull, Memory: 512, Arch: "x86_64", Regions: 3}
	levers, err := p.Levers(plan, false)
	if err != nil || len(levers) < 5 {
		t.Fatalf("%v, %v", levers, err)
	}
	total := func(plan cost.Plan) float64 {
		u, err := plan.Usage()
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Bill(u, false)
		if err != nil {
			t.Fatal(err)
		}
		return b.Total
	}
	now := total(plan)
	slow, push := plan, plan
	slow.Interval, push.Mode = time.Minute, cost.Push
	for _, l := range levers {
		if strings.HasPrefix(l.Change, "an interval of 1m0s") && !near(l.Saves, now-total(slow)) || strings.HasPrefix(l.Change, "one invocation") && !near(l.Saves, now-total(push)) {
			t.Errorf("%+v", l)
		}
		if l.Saves > levers[0].Saves {
			t.Errorf("%+v is not the first", l)
		}
	}
	variants, err := p.Compare(plan, false)
	if err != nil || len(variants) != 8 {
		t.Fatalf("%v, %v", variants, err)
	}
	one := plan
	one.Mode, one.Interval, one.Regions = cost.Push, time.Minute, 20
	if v := variants[7]; v.Name != "push, every 1m0s, regions: 20" || !near(v.Total, total(one)) {
		t.Errorf("%+v, want %v", v, total(one))
	}
}

func TestPriceFiles(t *testing.T) {
	own := `{"as_of":"2027-01-01","region":"eu-central-1","currency":"USD","prices":{"lambda_requests":{"component":"Lambda","unit":"requests","per":1000000,"free":0,"tiers":[{"price":1}],"source":"mine"}}}`
	p, err := cost.Parse([]byte(own))
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Bill(cost.Usage{cost.LambdaRequests: 5e6, cost.SQSRequests: 1e6}, false)
	if err != nil || !near(b.Total, 5.40) || b.AsOf != "2027-01-01" || b.Region != "eu-central-1" {
		t.Errorf("%+v, %v", b, err)
	}
	for _, c := range [][2]string{
		{"{", "read the prices"}, {`{"x":1}`, "unknown field"}, {`{}`, "as_of"},
		{strings.ReplaceAll(own, "lambda_requests", "lamda_requests"), "nothing is called"},
		{strings.ReplaceAll(own, `[{"price":1}]`, `[{"to":5,"price":1}]`), "tiers"},
		{strings.ReplaceAll(own, `[{"price":1}]`, `[{"to":5,"price":1},{"to":4,"price":1},{"price":1}]`), "tiers"},
		{strings.ReplaceAll(own, `"source":"mine"`, `"source":""`), "source"},
	} {
		if _, err := cost.Parse([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, want %q", c[0], err, c[1])
		}
	}
	for name, x := range prices(t).Items {
		if x.Source == "" {
			t.Errorf("%s has no source", name)
		}
	}
}
