package accesslog

import (
	"time"
)

// maxExamples is how many rejected lines a report shows, and maxExample how
// much of each.
const (
	maxExamples = 5
	maxExample  = 300
)

// maxNamed bounds the names a report lists.
const maxNamed = 64

// Report says what was read. Lines is always Counted + Rejected.
type Report struct {
	// Format is the log's, "" if it had no line.
	Format string `json:"format"`
	// Lines are those that stand for a request (or would, if they were right).
	Lines    int64 `json:"lines"`
	Counted  int64 `json:"counted"`
	Rejected int64 `json:"rejected"`
	// Ignored lines stand for no request: blank ones, headers, and in Lambda's
	// logs all that is no report.
	Ignored int64 `json:"ignored"`
	// Reasons says why lines were rejected.
	Reasons map[string]int64 `json:"reasons,omitempty"`
	// Examples are the first rejected lines.
	Examples []Example `json:"examples,omitempty"`
	// Unknown are columns and keys that no version of the format known here
	// has, with the lines that were seen to have them. They do no harm. Some
	// are only looked for in some of the lines.
	Unknown map[string]int64 `json:"unknown,omitempty"`
	// Missing are columns that metrics need and the log does not have, so that
	// labels or metrics are missing.
	Missing []string `json:"missing,omitempty"`
	// Folded are labels and metrics of which something counts as "other".
	Folded []Folded `json:"folded,omitempty"`
	// First and Last are when the earliest and the latest request ended.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Bytes is the size of the log, before and after it was decompressed.
	Bytes    int64 `json:"bytes"`
	RawBytes int64 `json:"raw_bytes"`
	// Header is what the log said of its columns (#Fields:…), to be put before
	// what is appended to it later.
	Header string `json:"-"`
}

// Example is a rejected line.
type Example struct {
	Line   int64  `json:"line"` // from 1, all lines counted
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// Folded is something that counts as "other".
type Folded struct {
	// Metric is the one that has all the series it may have; "" if a label has
	// all the values it may have, or a path matches no route.
	Metric string `json:"metric,omitempty"`
	Label  string `json:"label,omitempty"`
	// Lines is how many were folded.
	Lines int64 `json:"lines"`
	// Top are the most frequent of the values folded, approximately.
	Top []string `json:"top,omitempty"`
}

// reason is why a line is rejected.
type reason uint8

const (
	fine reason = iota
	ignored
	badStatus
	badNumber
	badTime
	badJSON
	badShape
	tooLong
	tooShort
	notKnown
	badMetrics
	tooMany
	otherKind
	numReasons
)

// reasonText says it in words.
var reasonText = [numReasons]string{
	"", "", "the status is not three digits", "a number is malformed or has too many digits", "the time is malformed",
	"it is not a JSON object, or cut off", "it does not have the format's shape", "the line is too long",
	"it has too few columns", "it is of no format known here", "its metrics are malformed", "there is no room for its metrics",
	"a metric is of another kind than before",
}

// Add makes the report one of both readings.
func (r *Report) Add(o *Report) {
	if r.Format == "" {
		r.Format = o.Format
	} else if o.Format != "" && o.Format != r.Format {
		r.Format = "several"
	}
	r.Lines, r.Counted, r.Rejected, r.Ignored = r.Lines+o.Lines, r.Counted+o.Counted, r.Rejected+o.Rejected, r.Ignored+o.Ignored
	r.Bytes, r.RawBytes = r.Bytes+o.Bytes, r.RawBytes+o.RawBytes
	if r.Reasons == nil {
		r.Reasons = map[string]int64{}
	}
	if r.Unknown == nil {
		r.Unknown = map[string]int64{}
	}
	for why, n := range o.Reasons {
		r.Reasons[why] += n
	}
	for name, n := range o.Unknown {
		if _, ok := r.Unknown[name]; ok || len(r.Unknown) < maxNamed {
			r.Unknown[name] += n
		}
	}
	r.Examples = append(r.Examples, o.Examples[:min(len(o.Examples), maxExamples-len(r.Examples))]...)
	for _, m := range o.Missing {
		r.addMissing(m)
	}
	for _, f := range o.Folded {
		r.addFolded(f)
	}
	if r.First.IsZero() || !o.First.IsZero() && o.First.Before(r.First) {
		r.First = o.First
	}
	if o.Last.After(r.Last) {
		r.Last = o.Last
	}
	if o.Header != "" {
		r.Header = o.Header
	}
}

func (r *Report) addMissing(name string) {
	for _, m := range r.Missing {
		if m == name {
			return
		}
	}
	r.Missing = append(r.Missing, name)
}

// addFolded adds what another report folded to the like of it.
func (r *Report) addFolded(o Folded) {
	for i := range r.Folded {
		if f := &r.Folded[i]; f.Metric == o.Metric && f.Label == o.Label {
			f.Lines += o.Lines
			for _, v := range o.Top {
				if len(f.Top) < sketchSize/2 && !contains(f.Top, v) {
					f.Top = append(f.Top, v)
				}
			}
			return
		}
	}
	r.Folded = append(r.Folded, o)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// seen notes when a request ended.
func (r *Report) seen(ms int64) {
	if ms <= 0 {
		return
	}
	t := time.UnixMilli(ms).UTC()
	if r.First.IsZero() || t.Before(r.First) {
		r.First = t
	}
	if t.After(r.Last) {
		r.Last = t
	}
}
