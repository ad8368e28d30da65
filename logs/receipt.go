package logs

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/internal/message"
	"narthex/internal/stats"
)

// Receipt says what became of an object.
type Receipt struct {
	Source   string    `json:"source"`
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Received time.Time `json:"received"`
	// Duplicate: all of it was counted before.
	Duplicate bool `json:"duplicate"`
	// Series is how many label sets it came to, Entries in how many entries.
	Series   int                 `json:"series"`
	Entries  int                 `json:"entries"`
	Rejected []narthex.Rejection `json:"rejected,omitempty"`
	Error    string              `json:"error,omitempty"`
	Report   accesslog.Report    `json:"report"`
}

// maxRejections is how many rejected series a receipt names.
const maxRejections = 20

func (r *Receipt) reject(list []narthex.Rejection) {
	r.Rejected = append(r.Rejected, list[:min(len(list), maxRejections-min(maxRejections, len(r.Rejected)))]...)
}

// join adds what became of a part.
func (r *Receipt) join(part *Receipt) {
	r.ID = cmp.Or(r.ID, part.ID)
	r.Duplicate = r.Duplicate && part.Duplicate
	r.Series, r.Entries = r.Series+part.Series, r.Entries+part.Entries
	r.reject(part.Rejected)
	r.Report.Add(&part.Report)
}

// maxRecent is how many receipts Stats keeps.
const maxRecent = 500

// Stats counts what sources do, and keeps their last receipts.
type Stats struct {
	objects, lines, rejected, bytes, unknown func(values ...string) *stats.Counter

	mu     sync.Mutex
	recent []*Receipt // the oldest first
}

// NewStats registers narthex_logs_* in the set, which may be nil.
func NewStats(set *stats.Set) *Stats {
	if set == nil {
		set = new(stats.Set)
	}
	return &Stats{
		objects: set.CounterVec("narthex_logs_objects_total",
			"Log objects, pieces of growing files among them, by what became of them.", "source", "result"),
		lines:    set.CounterVec("narthex_logs_lines_total", "Lines that stand for requests.", "source", "result"),
		rejected: set.CounterVec("narthex_logs_rejected_lines_total", "Lines that could not be read, by the reason.", "source", "reason"),
		unknown:  set.CounterVec("narthex_logs_unknown_columns_total", "Columns and keys that no known version of the format has, each counted once.", "source"),
		bytes:    set.CounterVec("narthex_logs_bytes_total", "Size of the logs that were read, as delivered.", "source"),
	}
}

// add counts an object.
func (s *Stats) add(r *Receipt, err error) {
	rep := &r.Report
	switch {
	case narthex.IsRejected(err):
		s.objects(r.Source, "refused").Add(1)
	case err != nil:
		s.objects(r.Source, "failed").Add(1)
	case r.Duplicate:
		s.objects(r.Source, "duplicate").Add(1)
	default:
		s.objects(r.Source, "counted").Add(1)
		s.lines(r.Source, "counted").Add(uint64(rep.Counted))
		s.lines(r.Source, "rejected").Add(uint64(rep.Rejected))
		for reason, n := range rep.Reasons { // of a closed list
			s.rejected(r.Source, reason).Add(uint64(n))
		}
	}
	s.bytes(r.Source).Add(uint64(rep.Bytes))
	if err == nil && rep.Lines == 0 {
		return // nothing worth remembering
	}
	short := *r
	short.Report.Header = ""
	short.Name, short.ID = message.Clip(r.Name, 300), message.Clip(r.ID, 300)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = append(s.recent, &short)
	if len(s.recent) > maxRecent {
		s.recent = slices.Delete(s.recent, 0, len(s.recent)-maxRecent)
	}
}

// maxTold bounds the names of columns that a source remembers.
const maxTold = 1000

// tellUnknown tells once of each column or key that no version of the format known
// here has: formats grow, and nobody should have to look for it.
func (s *Source) tellUnknown(ctx context.Context, r *Receipt) {
	var fresh []string
	for name := range r.Report.Unknown {
		if !s.told[name] && len(s.told) < maxTold {
			if s.told == nil {
				s.told = make(map[string]bool)
			}
			s.told[name] = true
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 {
		return
	}
	slices.Sort(fresh)
	s.o.Stats.unknown(s.o.Name).Add(uint64(len(fresh)))
	s.o.Logger.WarnContext(ctx, "the log has columns that are not known here; they do no harm", "format", r.Report.Format, "columns", fresh, "object", r.Name)
}

// skip counts an object that was not read, such as one that is gone.
func (s *Stats) skip(source, result string) { s.objects(source, result).Add(1) }

// Recent returns the last receipts, the newest first.
func (s *Stats) Recent() []*Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.recent)
	slices.Reverse(out)
	return out
}
