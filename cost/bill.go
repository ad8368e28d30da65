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

// Bill is what a usage costs.
type Bill struct {
	AsOf     string  `json:"as_of"`
	Region   string  `json:"prices_of"`
	Currency string  `json:"currency"`
	FreeTier bool    `json:"free_tier"`
	Lines    []Line  `json:"lines"`
	Total    float64 `json:"total"`
}

// Line is one item of it.
type Line struct {
	Component string  `json:"component"`
	Item      string  `json:"item"`
	Unit      string  `json:"unit"`
	Quantity  float64 `json:"quantity"`
	Free      float64 `json:"free"` // of the quantity
	Rate      float64 `json:"rate"` // for one unit, on average
	Cost      float64 `json:"cost"`
	Source    string  `json:"source"`
}

// Bill returns what the usage costs, dearest first.
func (p *Prices) Bill(u Usage, freeTier bool) (*Bill, error) {
	b := &Bill{AsOf: p.AsOf, Region: p.Region, Currency: p.Currency, FreeTier: freeTier}
	for _, name := range slices.Sorted(maps.Keys(u)) {
		x, known := p.Items[name]
		n := u[name]
		switch {
		case !known:
			return nil, fmt.Errorf("nothing that is paid for is called %q", name)
		case math.IsNaN(n) || math.IsInf(n, 0) || n < 0:
			return nil, fmt.Errorf("%v %s can't be used", n, x.Unit)
		case n == 0:
			continue
		}
		l := Line{Component: x.Component, Item: name, Unit: x.Unit, Quantity: n, Source: x.Source}
		if freeTier {
			l.Free = min(n, x.Free)
		}
		l.Cost = x.of(n - l.Free)
		if paid := n - l.Free; paid > 0 {
			l.Rate = l.Cost / paid
		}
		b.Lines = append(b.Lines, l)
		b.Total += l.Cost
	}
	slices.SortStableFunc(b.Lines, func(a, b Line) int { return cmp.Compare(b.Cost, a.Cost) })
	return b, nil
}

// Components returns the sums by component, dearest first.
func (b *Bill) Components() (names []string, costs map[string]float64) {
	costs = make(map[string]float64)
	for _, l := range b.Lines {
		costs[l.Component] += l.Cost
	}
	names = slices.Sorted(maps.Keys(costs))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(costs[b], costs[a]) })
	return names, costs
}
