package cost

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Usage is how much of what is used in a month.
type Usage map[string]float64

// Add adds what else is used.
func (u Usage) Add(o Usage) {
	for name, n := range o {
		u[name] += n
	}
}

// Times returns n times the usage.
func (u Usage) Times(n float64) Usage {
	out := make(Usage, len(u))
	for name, x := range u {
		out[name] = n * x
	}
	return out
}

// Region is what is used in a month in one region; "" is that of the prices.
type Region struct {
	Name  string
	Usage Usage
}

// Bill is what a usage costs.
type Bill struct {
	AsOf   string `json:"as_of"`
	Region string `json:"prices_of"`
	// Elsewhere are regions without prices of their own for something that they use,
	// for which those of Region stand.
	Elsewhere []string `json:"priced_as_elsewhere,omitempty"`
	Currency  string   `json:"currency"`
	FreeTier  bool     `json:"free_tier"`
	Lines     []Line   `json:"lines"`
	Total     float64  `json:"total"`
}

// Line is one item of it.
type Line struct {
	Region    string  `json:"region"`
	Component string  `json:"component"`
	Item      string  `json:"item"`
	Unit      string  `json:"unit"`
	Quantity  float64 `json:"quantity"`
	Free      float64 `json:"free"` // of the quantity
	Rate      float64 `json:"rate"` // for one unit, on average
	Cost      float64 `json:"cost"`
	Source    string  `json:"source"`
}

// Bill returns what the usage costs in the region of the prices, dearest first.
func (p *Prices) Bill(u Usage, freeTier bool) (*Bill, error) {
	return p.BillRegions([]Region{{p.Region, u}}, freeTier)
}

// BillRegions returns what the usage costs in regions, dearest first. What is free is
// an account's, and shared by its regions by what they use; tiers are a region's.
func (p *Prices) BillRegions(regions []Region, freeTier bool) (*Bill, error) {
	b := &Bill{AsOf: p.AsOf, Region: p.Region, Currency: p.Currency, FreeTier: freeTier}
	all := Usage{}
	for _, r := range regions {
		all.Add(r.Usage)
	}
	for _, r := range regions {
		r.Name = cmp.Or(r.Name, p.Region)
		for _, item := range slices.Sorted(maps.Keys(r.Usage)) {
			x, own, known := p.item(r.Name, item)
			n := r.Usage[item]
			switch {
			case !known:
				return nil, fmt.Errorf("nothing that is paid for is called %q", item)
			case math.IsNaN(n) || math.IsInf(n, 0) || n < 0:
				return nil, fmt.Errorf("%v %s can't be used", n, x.Unit)
			case n == 0:
				continue
			}
			if !own && !slices.Contains(b.Elsewhere, r.Name) {
				b.Elsewhere = append(b.Elsewhere, r.Name)
			}
			b.add(Line{Region: r.Name, Component: x.Component, Item: item, Unit: x.Unit, Quantity: n, Source: x.Source}, x, n/all[item])
		}
	}
	slices.SortStableFunc(b.Lines, func(a, b Line) int { return cmp.Compare(b.Cost, a.Cost) })
	return b, nil
}

// add reckons a line and adds it; share is its region's of what is free.
func (b *Bill) add(l Line, x Price, share float64) {
	if b.FreeTier {
		l.Free = min(l.Quantity, x.Free*share)
	}
	l.Cost = x.of(l.Quantity - l.Free)
	if paid := l.Quantity - l.Free; paid > 0 {
		l.Rate = l.Cost / paid
	}
	b.Lines = append(b.Lines, l)
	b.Total += l.Cost
}

// Components returns the sums by component, dearest first.
func (b *Bill) Components() (names []string, costs map[string]float64) {
	return b.sums(func(l Line) string { return l.Component })
}

// Regions returns the sums by region, dearest first.
func (b *Bill) Regions() (names []string, costs map[string]float64) {
	return b.sums(func(l Line) string { return l.Region })
}

func (b *Bill) sums(by func(Line) string) (names []string, costs map[string]float64) {
	costs = make(map[string]float64)
	for _, l := range b.Lines {
		costs[by(l)] += l.Cost
	}
	names = slices.Sorted(maps.Keys(costs))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(costs[b], costs[a]) })
	return names, costs
}
