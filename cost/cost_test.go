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
		{cost.Usage{cost.DataRegion: 50}, false, 1.00},
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
		// 172,800 ticks of 10 targets with 44 series.
		"pull": {cost.Plan{Silent: true, Targets: 10, Mode: cost.Pull, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 1_728_000, cost.LambdaArm: 172_800, cost.Samples: 76_032_000, cost.SampleStorage: 0.152064, cost.DataOut: 6.912}},
		// 172,800 ticks of 10 x 44 + 5 series; a minute sends a batch of 4 messages, each
		// is received and deleted, and 2 pollers that wait for one 30 s each ask
		// 172,800 / (e^(20/30) - 1) = 182,329.6 times in vain.
		"push": {cost.Plan{Silent: true, Targets: 10, Mode: cost.Push, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 216_000, cost.LambdaArm: 21_600, cost.Samples: 76_896_000, cost.SampleStorage: 0.153792,
				cost.Scheduler: 43_200, cost.SQSRequests: 43_200 + 3*172_800 + 9_529.633119, cost.S3Puts: 345_600, cost.S3Gets: 172_800}},
		"push each minute": {cost.Plan{Silent: true, Targets: 10, Interval: time.Minute, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 43_200, cost.LambdaArm: 4_320, cost.Samples: 43_200 * 445, cost.SampleStorage: 0.038448, cost.Scheduler: 43_200, cost.S3Puts: 86_400, cost.S3Gets: 43_200}},
		// Of every two targets a tick probes one.
		"half of the targets": {cost.Plan{Silent: true, Targets: 10, Due: 0.5, SeriesPerTarget: 40, Interval: time.Minute, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 43_200, cost.LambdaArm: 4_320, cost.Samples: 43_200 * 205, cost.SampleStorage: 0.017712, cost.Scheduler: 43_200, cost.S3Puts: 86_400, cost.S3Gets: 43_200}},
		// Samples of 19 regions of 49 series, at 19 bytes, go to the first one.
		"twenty regions": {cost.Plan{Silent: true, Targets: 1, Interval: time.Minute, Regions: cost.Anywhere(20), Memory: 1024, Duration: time.Second},
			cost.Usage{cost.LambdaRequests: 864_000, cost.LambdaArm: 864_000, cost.Samples: 42_336_000, cost.SampleStorage: 0.084672, cost.Scheduler: 864_000, cost.S3Puts: 1_728_000, cost.S3Gets: 864_000, cost.DataRegion: 0.7641648}},
		"two workspaces":        {cost.Plan{Silent: true, Series: 1000, Workspaces: 2}, cost.Usage{cost.Samples: 345_600_000, cost.SampleStorage: 0.6912}},
		"somebody else's store": {cost.Plan{Silent: true, Series: 1000, Elsewhere: true}, cost.Usage{}},
		"series":                {cost.Plan{Silent: true, Series: 1000}, cost.Usage{cost.Samples: 172_800_000, cost.SampleStorage: 0.3456}},
		"series that rarely change": {cost.Plan{Silent: true, Series: 1000, Busy: 0.1},
			cost.Usage{cost.Samples: 17_280_000 + 900*21_600, cost.SampleStorage: (17_280_000 + 900*21_600) * 2e-9}},
		// 0.3858 pushes a second: 1.9645 in a batch of 5 s of one of two pollers, so that
		// there are 509,034 batches. SQS: a million sent, 1,000,000 / 1.007716 received, a
		// batch's last request in vain, 32 of pollers without work, a delete a batch. Each
		// of 43,200 ticks has two swaps lost around it.
		"pushes": {cost.Plan{Silent: true, Series: 100, Pushes: 1_000_000, Duration: 100 * time.Millisecond, Memory: 1024, Interval: time.Minute},
			cost.Usage{cost.Samples: 4_320_000, cost.SampleStorage: 0.00864, cost.LambdaRequests: 1_552_233.778476, cost.LambdaArm: 155_223.377848,
				cost.SQSRequests: 3_021_387.843364, cost.Scheduler: 43_200, cost.S3Puts: 638_633.778476, cost.S3Gets: 86_400}},
		"pushes counted at once": {cost.Plan{Silent: true, Series: 100, Pushes: 1_000_000, Direct: true, Duration: 100 * time.Millisecond, Memory: 1024, Interval: time.Minute},
			cost.Usage{cost.Samples: 4_320_000, cost.SampleStorage: 0.00864, cost.LambdaRequests: 1_043_200, cost.LambdaArm: 104_320, cost.Scheduler: 43_200, cost.S3Puts: 1_129_600, cost.S3Gets: 86_400}},
		// 49 bytes of 10,000 series are 490 KB in 2 items: 245 units to write, 62 to read.
		"in DynamoDB": {cost.Plan{Silent: true, Series: 10_000, Groups: 2, DynamoDB: true, Pushes: 1_000, Direct: true, Duration: 100 * time.Millisecond, Memory: 1024, Interval: time.Minute},
			cost.Usage{cost.Samples: 432_000_000, cost.SampleStorage: 0.864, cost.LambdaRequests: 44_200, cost.LambdaArm: 4_420, cost.Scheduler: 43_200,
				cost.DynamoWrites: (1_000 + 2*(43_200+2_000)) * 245, cost.DynamoReads: 2 * 2_000 * 62}},
		// A file is announced by a message and read once.
		"log files": {cost.Plan{Silent: true, Objects: 30_000, Duration: 100 * time.Millisecond, Memory: 1024, Interval: time.Minute},
			cost.Usage{cost.LambdaRequests: 73_200, cost.LambdaArm: 7_320, cost.Scheduler: 43_200, cost.SQSRequests: 563544.667851, cost.S3Puts: 133_200, cost.S3Gets: 90_000}},
		// As "push each minute" with the function's own 16 series and a save a minute.
		"push that tells of itself": {cost.Plan{Targets: 10, Interval: time.Minute, Duration: 200 * time.Millisecond, Memory: 512},
			cost.Usage{cost.LambdaRequests: 43_200, cost.LambdaArm: 4_320, cost.Samples: 43_200 * 461, cost.SampleStorage: 0.0398304, cost.Scheduler: 43_200, cost.S3Puts: 129_600, cost.S3Gets: 43_200}},
		// As "pushes counted at once" with 37 series, a message a minute, 3 saves and a read.
		"pushes that tell of themselves": {cost.Plan{Series: 100, Pushes: 1_000_000, Direct: true, Duration: 100 * time.Millisecond, Memory: 1024, Interval: time.Minute},
			cost.Usage{cost.Samples: 43_200 * 137, cost.SampleStorage: 0.0118368, cost.LambdaRequests: 1_043_200, cost.LambdaArm: 104_320, cost.Scheduler: 43_200, cost.S3Puts: 1_129_600 + 4*43_200, cost.S3Gets: 129_600}},
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
	for _, bad := range []cost.Plan{{Arch: "mips"}, {Memory: 64}, {Duration: time.Hour}, {Mode: "x"}, {Interval: time.Millisecond}, {Busy: 2}, {Due: 2}, {Batch: 0.5}, {Batch: 2000}, {Targets: -1}} {
		if _, err := bad.Usage(); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// The levers say what each change saves, and the comparison has what the plan costs.
func TestLevers(t *testing.T) {
	p := prices(t)
	plan := cost.Plan{Targets: 50, Mode: cost.Pull, Memory: 512, Arch: "x86_64", Regions: cost.Anywhere(3)}
	levers, err := p.Levers(plan, false)
	if err != nil || len(levers) < 5 {
		t.Fatalf("%v, %v", levers, err)
	}
	total := func(plan cost.Plan) float64 {
		regions, err := plan.ByRegion()
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.BillRegions(regions, false)
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
	one.Mode, one.Interval, one.Regions = cost.Push, time.Minute, cost.Anywhere(20)
	if v := variants[7]; v.Name != "push, every 1m0s, regions: 20" || !near(v.Total, total(one)) {
		t.Errorf("%+v, want %v", v, total(one))
	}
}

// What is free is shared by the regions; a region's own price counts there, and the
// others are named.
func TestRegions(t *testing.T) {
	p := prices(t)
	regions := []cost.Region{
		{"eu-central-1", cost.Usage{cost.DynamoWrites: 2e6, cost.LambdaRequests: 3e6}},
		{"us-east-1", cost.Usage{cost.DynamoWrites: 2e6, cost.LambdaRequests: 1e6}},
		{"sa-east-1", cost.Usage{cost.SQSRequests: 1e6}},
	}
	// 2 x 0.7625 + 2 x 0.625 + (3 - 0.75) x 0.20 + (1 - 0.25) x 0.20 + 0, and without
	// what is free 0.20 and 0.40 more.
	for free, want := range map[bool]float64{true: 3.375, false: 3.975} {
		b, err := p.BillRegions(regions, free)
		if err != nil || !near(b.Total, want) {
			t.Errorf("free %t: %+v, want %v; %v", free, b, want, err)
			continue
		}
		if len(b.Elsewhere) != 1 || b.Elsewhere[0] != "sa-east-1" {
			t.Errorf("elsewhere: %v", b.Elsewhere)
		}
		names, costs := b.Regions()
		sum := 0.0
		for _, c := range costs {
			sum += c
		}
		if len(names) != 3 || names[0] != "eu-central-1" || !near(sum, want) {
			t.Errorf("by region: %v %v", names, costs)
		}
	}
	plan := cost.Plan{Silent: true, Targets: 1, Interval: time.Minute, Regions: []string{"us-east-1", "us-west-2"}}
	each, err := plan.ByRegion()
	if err != nil || len(each) != 2 {
		t.Fatalf("%v, %v", each, err)
	}
	if a, b := each[0].Usage, each[1].Usage; a[cost.Samples] != 2*43_200*49 || b[cost.Samples] != 0 || a[cost.DataRegion] != 0 || b[cost.DataRegion] == 0 || a[cost.LambdaRequests] != b[cost.LambdaRequests] {
		t.Errorf("%v\n%v", a, b)
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
	// A file's prices are those of its region, before the ones that are built in.
	here := strings.ReplaceAll(strings.ReplaceAll(own, "lambda_requests", "dynamodb_writes"), `"price":1`, `"price":7`)
	if p, err = cost.Parse([]byte(here)); err != nil {
		t.Fatal(err)
	}
	if b, err := p.Bill(cost.Usage{cost.DynamoWrites: 1e6, cost.DynamoReads: 1e6}, false); err != nil || !near(b.Total, 7.1525) {
		t.Errorf("%+v, %v", b, err)
	}
	built := prices(t)
	check := func(where string, items map[string]cost.Price) {
		for name, x := range items {
			if !strings.HasPrefix(x.Source, "https://") || x.Unconfirmed == (x.Seen != "") || !x.Unconfirmed && !strings.HasPrefix(x.Seen, "20") {
				t.Errorf("%s %s: %q is no source, or it is not said when and where the price was seen: %q", where, name, x.Source, x.Seen)
			}
		}
	}
	check(built.Region, built.Items)
	for region, items := range built.Regions {
		check(region, items)
	}
}
