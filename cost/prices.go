// Package cost says what narthex, and what it writes to, costs a month on AWS: how
// much of what is used, by component and region, at which prices.
//
//	p, err := cost.Default()
//	bill, err := p.Bill(cost.Usage{cost.LambdaRequests: 178_560}, false)
//
// A [Plan] says what is used in a month by probes and pushes. The prices are in one
// file with a date and a source for each (prices.json), which can be replaced. What
// is not told to cost anything (logs of functions, a proxy, people) is not in it.
package cost

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// What is paid for, as the price file names it.
const (
	LambdaRequests = "lambda_requests"
	LambdaX86      = "lambda_x86_64"
	LambdaArm      = "lambda_arm64"
	SQSRequests    = "sqs_requests"
	Scheduler      = "scheduler"
	S3Puts         = "s3_puts"
	S3Gets         = "s3_gets"
	S3Storage      = "s3_storage"
	DynamoWrites   = "dynamodb_writes"
	DynamoReads    = "dynamodb_reads"
	DataOut        = "data_out"
	DataRegion     = "data_region"
	Samples        = "amp_samples"
	SampleStorage  = "amp_storage"
	QuerySamples   = "amp_query"
)

// Prices are those of one region, and of others what differs there. All that is free
// is a month's, of an account.
type Prices struct {
	AsOf     string           `json:"as_of"`
	Currency string           `json:"currency"`
	Region   string           `json:"region"`
	Items    map[string]Price `json:"prices"`
	// Regions has, by region, prices that differ from Items or are known to be equal.
	Regions map[string]map[string]Price `json:"regions,omitempty"`
}

// item returns the price of an item in a region, and whether it is that region's own
// rather than that of Region.
func (p *Prices) item(region, name string) (x Price, own, known bool) {
	if x, own = p.Regions[region][name]; own {
		return x, true, true
	}
	x, known = p.Items[name]
	return x, region == p.Region, known
}

// Price is that of one item.
type Price struct {
	Component string  `json:"component"`
	Unit      string  `json:"unit"`
	Per       float64 `json:"per"` // units that a tier's price is for
	Free      float64 `json:"free"`
	Tiers     []Tier  `json:"tiers"`
	Source    string  `json:"source"`
	// Seen are the address and the date at which the price was found; Unconfirmed is
	// whether nothing public was found that has it.
	Seen        string `json:"seen,omitempty"`
	Unconfirmed bool   `json:"unconfirmed,omitempty"`
}

// Tier is the price of what is used up to a quantity; 0 is without end.
type Tier struct {
	To    float64 `json:"to,omitempty"`
	Price float64 `json:"price"`
}

//go:embed prices.json
var builtIn []byte

// Default returns the prices that are built in.
func Default() (*Prices, error) { return Parse(builtIn) }

// Parse reads a price file. What it does not name keeps the price that is built in,
// so that a file with what is different is enough.
func Parse(file []byte) (*Prices, error) {
	p, err := decode(builtIn)
	if err != nil {
		return nil, err
	}
	own, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("read the prices: %w", err)
	}
	if p.Regions == nil {
		p.Regions = make(map[string]map[string]Price)
	}
	if err := p.take(p.Items, own.Items); err != nil {
		return nil, err
	}
	for name := range own.Items { // a file's own price is that of its region
		delete(p.Regions[own.Region], name)
	}
	for region, items := range own.Regions {
		if p.Regions[region] == nil {
			p.Regions[region] = make(map[string]Price)
		}
		if err := p.take(p.Regions[region], items); err != nil {
			return nil, err
		}
	}
	if own.AsOf == "" || own.Region == "" || own.Currency == "" {
		return nil, fmt.Errorf("read the prices: as_of, region and currency say what they are of")
	}
	p.AsOf, p.Region, p.Currency = own.AsOf, own.Region, own.Currency
	return p, nil
}

// take puts prices into others.
func (p *Prices) take(into, from map[string]Price) error {
	for name, x := range from {
		if _, known := p.Items[name]; !known {
			return fmt.Errorf("read the prices: nothing is called %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(p.Items)), ", "))
		}
		if err := x.check(); err != nil {
			return fmt.Errorf("read the prices: %s: %w", name, err)
		}
		into[name] = x
	}
	return nil
}

func decode(file []byte) (*Prices, error) {
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	var p Prices
	err := dec.Decode(&p)
	return &p, err
}

func (x Price) check() error {
	if x.Per <= 0 || x.Free < 0 || len(x.Tiers) == 0 || x.Source == "" || x.Unit == "" || x.Component == "" {
		return fmt.Errorf("it needs component, unit, per, tiers and source")
	}
	from := 0.0
	for i, t := range x.Tiers {
		last := i == len(x.Tiers)-1
		if t.Price < 0 || last != (t.To == 0) || !last && t.To <= from {
			return fmt.Errorf("its tiers are not in order; the last one has no to")
		}
		from = t.To
	}
	return nil
}

// of returns what a quantity costs. The free part is taken off first; tiers count
// what is paid for.
func (x Price) of(quantity float64) (dollars float64) {
	from := 0.0
	for _, t := range x.Tiers {
		to := t.To
		if to == 0 {
			to = math.Inf(1)
		}
		if n := min(quantity, to) - from; n > 0 {
			dollars += n / x.Per * t.Price
		}
		from = to
	}
	return dollars
}
