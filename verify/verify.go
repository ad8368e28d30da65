// Package verify finds out what a remote-write backend can do, by trying.
//
// Documentation says little of it: whether 2.0 is spoken or only answered, how
// late a sample may come, what a refused sample does to its neighbours. [Run]
// writes samples that answer these questions, on series of its own that nobody
// else has (narthex_verify_…{run="…"}), and never ahead of now unless the
// workspace is said to be empty: a sample ahead of now would make those of
// everybody else too old. What is refused is told by the answer; what is
// accepted and not stored, which some receivers do, only by reading it back, for
// which the address of the backend's query API is needed.
//
// [Replay] writes the same events by each of the ways in which short-lived code
// may deliver counts, and compares what PromQL makes of them with the truth.
package verify

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"narthex"
)

// Options say what is verified, and how.
type Options struct {
	// URL is the address of remote write.
	URL string
	// QueryURL is that of a Prometheus HTTP API, up to what stands before
	// /api/v1/query; empty if nothing can be read back.
	QueryURL string
	// Transport carries the requests, and authenticates them; nil means
	// http.DefaultTransport. Query does it for queries; nil means Transport.
	Transport, Query http.RoundTripper
	// EmptyWorkspace allows samples ahead of now.
	EmptyWorkspace bool
	// MaxAge is how old samples are tried. Default 6 h.
	MaxAge time.Duration
	// Visible is how long to wait for what was written to be seen. Default 1 min.
	Visible time.Duration
	// Run names the series of this run; default is a random one.
	Run string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Finding is the answer to one question.
type Finding struct {
	Capability string `json:"capability"`
	Found      string `json:"found"`    // in few words
	Evidence   string `json:"evidence"` // what was done and seen
}

// The words of a finding that settings go by.
const (
	yes     = "yes"
	no      = "no"
	unknown = "not known"
)

// Report is what was found.
type Report struct {
	URL      string    `json:"url"`
	Run      string    `json:"run"`
	ReadBack bool      `json:"read_back"` // else it is told by the answers alone
	Findings []Finding `json:"findings"`
	Settings []string  `json:"settings"` // lines of narthex.yml
}

// Find returns the finding on a capability, the zero Finding if there is none.
func (r *Report) Find(capability string) Finding {
	for _, f := range r.Findings {
		if f.Capability == capability {
			return f
		}
	}
	return Finding{}
}

// The capabilities, in the order of the report.
const (
	RemoteWrite1   = "remote write 1.0"
	RemoteWrite2   = "remote write 2.0"
	OutOfOrder     = "out-of-order window"
	OldestSample   = "oldest sample of a new series"
	SameAgain      = "the same sample again"
	OtherValue     = "another value at the same time"
	SortsRequests  = "samples of a request in any order"
	Partial1       = "a bad sample in a request of 1.0"
	Partial2       = "a bad sample in a request of 2.0"
	NativeHisto    = "native histograms"
	UTF8Names      = "UTF-8 names"
	Exemplars      = "exemplars"
	StartTimes     = "start timestamps"
	FutureSamples  = "samples ahead of now"
	SaysDuplicate  = "its words for a duplicate"
	SaysOutOfOrder = "its words for too old, or out of order"
)

// question is something to find out: first ask writes, and when all is written
// and can be seen, tell says what that means.
type question struct {
	ask  func(context.Context) error
	tell func(context.Context) ([]Finding, error)
}

// Run asks all questions. An error means that nothing was found out: of kind
// Unavailable if nobody answers, Forbidden if the credentials are refused,
// Invalid if the address is no remote write's.
func Run(ctx context.Context, o Options) (*Report, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &Report{URL: s.shown, Run: s.o.Run, ReadBack: s.o.QueryURL != ""}
	r.Findings = append(r.Findings, Finding{RemoteWrite1, yes, "a sample of now was answered " + s.first.said()})
	questions := []question{s.version2(), s.order(), s.oldest(), s.again(), s.sorts(), s.partial(), s.native(), s.names(), s.exemplars(), s.starts()}
	if s.o.EmptyWorkspace {
		questions = append(questions, s.future()) // last: it changes what is too old
	}
	for _, q := range questions {
		if err := q.ask(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	for _, q := range questions {
		found, err := q.tell(ctx)
		if err != nil {
			return nil, err
		}
		r.Findings = append(r.Findings, found...)
	}
	r.Findings = append(r.Findings, s.words()...)
	r.Settings = settings(r, s)
	return r, nil
}

// open fills in the defaults and writes the first sample.
func open(ctx context.Context, o Options) (*session, error) {
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Query == nil {
		o.Query = o.Transport
	}
	if o.MaxAge == 0 {
		o.MaxAge = 6 * time.Hour
	}
	if o.Visible == 0 {
		o.Visible = time.Minute
	}
	if o.Run == "" {
		o.Run = strings.ToLower(rand.Text()[:10])
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.QueryURL = strings.TrimSuffix(o.QueryURL, "/")
	s, err := newSession(o)
	if err != nil {
		return nil, err
	}
	if s.first, err = s.write(ctx, v1, s.one("now", s.now, 1)); err != nil {
		return nil, err
	}
	switch code := s.first.code; {
	case s.first.taken():
		return s, nil
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, narthex.Errorf(narthex.Forbidden, "%s refuses the credentials: %s", s.shown, s.first.said())
	case code == http.StatusTooManyRequests || code/100 == 5:
		return nil, narthex.Errorf(narthex.Unavailable, "%s takes nothing now: %s", s.shown, s.first.said())
	case code/100 == 3:
		return nil, narthex.Errorf(narthex.Invalid, "%s sends elsewhere (%d): give the address that it names", s.shown, code)
	}
	return nil, narthex.Errorf(narthex.Invalid, "%s does not take remote write 1.0, not even a sample of now: %s; is the address right, with its path (such as /api/v1/write or /api/v1/remote_write)?", s.shown, s.first.said())
}
