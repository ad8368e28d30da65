// Package quota compares what a set-up wants with what Amazon Managed Prometheus
// and AWS Lambda allow, before the first push is refused.
//
//	for _, f := range quota.Check(use) {
//		fmt.Println(f)
//	}
//
// The findings come in the order in which the quotas are reached: the first has
// the least room. Figures are dated (see [Date]) and have their sources; most
// can be raised by asking AWS.
package quota

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Date is when the figures were looked up.
const Date = "2026-11"

// Use is what a set-up wants. Zero fields are not looked at.
type Use struct {
	// Amazon is whether samples go to Amazon Managed Prometheus, Lambda whether
	// narthex runs as a function.
	Amazon, Lambda bool

	Series   int           // active series, as they leave
	Interval time.Duration // between two samples of a series

	LabelsPerSeries, LabelNameLength, LabelValueLength int
	UTF8Names                                          bool
	// NativeBuckets is how many buckets a native histogram may have.
	NativeBuckets int

	// Age is how old a sample may be when it is sent, Disorder how much older than
	// the newest one of its series.
	Age, Disorder time.Duration
	// Retention is how long the store is to keep samples.
	Retention time.Duration
	// RemoteWrite2 is whether 2.0 is asked for.
	RemoteWrite2 bool

	Body     int64 // bytes that a push may have
	Queue    bool  // pushes go through SQS
	Bodies   bool  // those that are too large for a message go through S3
	Delayed  bool  // ticks below a minute come by delayed messages
	DynamoDB bool  // the totals are in DynamoDB rather than S3
	Groups   int   // values that the totals are spread over
}

// Finding is a quota and how much of it is wanted.
type Finding struct {
	Quota   string // what is bounded
	Setting string // what asks for it
	Want    string
	Limit   string
	// Share is what is wanted of what is allowed: above 1 it does not fit.
	Share float64
	// Then is what happens beyond, Remedy what to do.
	Then, Remedy string
	Source       string
}

// Fits reports whether what is wanted is allowed.
func (f Finding) Fits() bool { return f.Share <= 1 }

// String is the finding as a sentence or two.
func (f Finding) String() string {
	text := fmt.Sprintf("%s: %s of %s (%s)", f.Quota, f.Want, f.Limit, f.Setting)
	if !f.Fits() {
		text += ": " + f.Then + "; " + f.Remedy
	}
	return text
}

// Check returns each quota that the use touches, the one that is reached first
// at the beginning.
func Check(u Use) []Finding {
	var out []Finding
	if u.Amazon {
		out = append(out, amazon(u)...)
	}
	if u.Lambda {
		out = append(out, function(u)...)
	}
	out = slices.DeleteFunc(out, func(f Finding) bool { return f.Share == 0 })
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// number makes a finding of two numbers.
func number(f Finding, want, limit float64, unit string) Finding {
	f.Want, f.Limit, f.Share = count(want)+unit, count(limit)+unit, want/limit
	return f
}

// span makes a finding of two durations.
func span(f Finding, want, limit time.Duration) Finding {
	f.Want, f.Limit, f.Share = duration(want), duration(limit), float64(want)/float64(limit)
	return f
}

// forbidden makes a finding of what is not allowed at all.
func forbidden(f Finding, asked bool) Finding {
	if asked {
		f.Want, f.Limit, f.Share = "asked for", "not allowed", 2
	}
	return f
}

// count writes a number with commas, or with one digit behind the point if it is
// small.
func count(v float64) string {
	if v < 1000 && v != math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// duration writes whole days as days.
func duration(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%d d", d/day)
	}
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}
