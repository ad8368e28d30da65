package cost

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Variant is a plan beside others.
type Variant struct {
	Name  string  `json:"name"`
	Total float64 `json:"total"`
}

// Compare returns what the plan costs pulled and pushed, each 15 s and 60 s, in one
// region and in twenty.
func (p *Prices) Compare(plan Plan, freeTier bool) ([]Variant, error) {
	var out []Variant
	for _, mode := range []Mode{Pull, Push} {
		for _, every := range []time.Duration{15 * time.Second, time.Minute} {
			for _, regions := range []int{1, 20} {
				plan.Mode, plan.Interval, plan.Regions = mode, every, Anywhere(regions)
				total, err := p.total(plan, freeTier)
				if err != nil {
					return nil, err
				}
				out = append(out, Variant{fmt.Sprintf("%s, every %s, regions: %d", mode, every, regions), total})
			}
		}
	}
	return out, nil
}

// Anywhere returns n regions that have no names yet.
func Anywhere(n int) []string {
	out := make([]string, max(0, n))
	for i := range out {
		out[i] = fmt.Sprintf("region %d", i+1)
	}
	return out
}

func (p *Prices) total(plan Plan, freeTier bool) (float64, error) {
	regions, err := plan.ByRegion()
	if err != nil {
		return 0, err
	}
	b, err := p.BillRegions(regions, freeTier)
	if err != nil {
		return 0, err
	}
	return b.Total, nil
}

// Lever is a change and what it saves a month.
type Lever struct {
	Change string  `json:"change"`
	Saves  float64 `json:"saves"`
}

// Levers returns the changes that save something, the largest first.
func (p *Prices) Levers(plan Plan, freeTier bool) ([]Lever, error) {
	now, err := p.total(plan, freeTier)
	if err != nil {
		return nil, err
	}
	full := plan.withDefaults()
	var out []Lever
	try := func(change string, do func(*Plan)) {
		other := full
		do(&other)
		if then, err := p.total(other, freeTier); err == nil && now-then > 1e-9 {
			out = append(out, Lever{change, now - then})
		}
	}
	if full.Interval < time.Minute {
		try("an interval of 1m0s instead of "+full.Interval.String(), func(o *Plan) { o.Interval = time.Minute })
	}
	if !full.Silent {
		try("functions that do not tell of themselves (lambda.telemetry: false)", func(o *Plan) { o.Silent = true })
	}
	if full.DynamoDB {
		try("the totals in S3 instead of DynamoDB", func(o *Plan) { o.DynamoDB = false })
	}
	if full.Mode == Pull && full.Targets > 0 {
		try("one invocation for all targets (push) instead of one for each (pull)", func(o *Plan) { o.Mode = Push })
	}
	if full.Busy > 0.1 && full.Series > 0 {
		try("series that change now and then (a tenth of them at a time) are written each "+full.Heartbeat.String()+" between: leave them to the ledger", func(o *Plan) { o.Busy = 0.1 })
	}
	if full.Arch == "x86_64" {
		try("arm64 instead of x86_64", func(o *Plan) { o.Arch = "arm64" })
	}
	if full.Memory > 128 {
		try(fmt.Sprintf("128 MB instead of %d MB, if it takes no longer", full.Memory), func(o *Plan) { o.Memory = 128 })
	}
	try("half the time an invocation takes", func(o *Plan) { o.Duration /= 2 })
	if n := len(full.Regions); n > 1 {
		try(fmt.Sprintf("one region less than %d", n), func(o *Plan) { o.Regions = o.Regions[:n-1] })
	}
	slices.SortStableFunc(out, func(a, b Lever) int { return cmp.Compare(b.Saves, a.Saves) })
	return out, nil
}
