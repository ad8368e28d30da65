package remotewrite

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Reason is why a receiver won't have a sample.
type Reason uint8

// The reasons.
const (
	ReasonOther      Reason = iota
	ReasonDuplicate         // another value is stored at that time
	ReasonSame              // the same value is stored at that time
	ReasonOutOfOrder        // a newer sample is stored
	ReasonTooOld            // older than the receiver takes
	ReasonFuture            // too far ahead
	ReasonLimit             // a limit on series or on a rate
	ReasonInvalid           // labels, or a histogram, that the receiver does not allow
	ReasonTooLarge          // larger than the receiver reads
	ReasonExemplar          // only an exemplar, not the sample
	ReasonUnknown           // the receiver did not say which series it means
)

// String returns the word that stands for the reason in metrics.
func (r Reason) String() string {
	words := [...]string{"other", "duplicate", "same", "out_of_order", "too_old", "future", "limit", "invalid", "too_large", "exemplar", "unknown"}
	if int(r) < len(words) {
		return words[r]
	}
	return "other"
}

// superseded reports whether a total that is refused for r has lost nothing: it
// is stored, or a newer one is.
func (r Reason) superseded() bool {
	switch r {
	case ReasonDuplicate, ReasonSame, ReasonOutOfOrder, ReasonTooOld:
		return true
	}
	return false
}

// sentence tells a person what the reason means and what to do.
func (r Reason) sentence() string {
	switch r {
	case ReasonDuplicate:
		return "another value is stored for this series and time, and a stored value can't be changed"
	case ReasonOutOfOrder:
		return "its series has a newer sample; an out-of-order window at the receiver lets late samples in"
	case ReasonTooOld:
		return "it is older than the receiver takes; a larger out-of-order window there lets it in"
	case ReasonFuture:
		return "it is too far in the future: the clock of who sent it, or the receiver's, is wrong"
	case ReasonLimit:
		return "a limit of the receiver is reached: raise it there, or push fewer series"
	case ReasonInvalid:
		return "the receiver does not allow its labels or its value"
	case ReasonTooLarge:
		return "the receiver finds it too large even alone"
	case ReasonUnknown:
		return "the receiver refused a request without saying which of its series it means, and this one may be among them"
	}
	return "the receiver refused it"
}

// phrases are what receivers say, lower case, in the order of looking: the first
// that is found decides. Sources: prometheus/storage errors; Cortex's ingester
// and validation; Mimir's "err-mimir-" catalogue; AMP's discard reasons.
var phrases = []struct {
	text   string
	reason Reason
}{
	{"out of order exemplar", ReasonExemplar},
	{"err-mimir-exemplar", ReasonExemplar},
	{"exemplar missing labels", ReasonExemplar},
	{"too far in the future", ReasonFuture},
	{"too-far-in-future", ReasonFuture},
	{"too_far_in_future", ReasonFuture},
	{"rate-limit", ReasonLimit},
	{"rate limit", ReasonLimit},
	{"rate_limited", ReasonLimit},
	{"duplicate label", ReasonInvalid},
	{"duplicated_label", ReasonInvalid},
	{"duplicated label", ReasonInvalid},
	{"duplicate-label", ReasonInvalid},
	{"is not unique", ReasonInvalid},
	{"duplicate sample for timestamp", ReasonDuplicate},
	{"sample with repeated timestamp but different value", ReasonDuplicate},
	{"duplicate-timestamp", ReasonDuplicate},
	{"new value for timestamp", ReasonDuplicate},
	{"new-value-for-timestamp", ReasonDuplicate},
	{"timestamp too old", ReasonTooOld},
	{"timestamp-too-old", ReasonTooOld},
	{"timestamp is too old", ReasonTooOld},
	{"too old sample", ReasonTooOld},
	{"sample-too-old", ReasonTooOld},
	{"max_sample_age", ReasonTooOld},
	{"out of bounds", ReasonTooOld},
	{"out of order", ReasonOutOfOrder},
	{"out-of-order", ReasonOutOfOrder},
	{"series limit", ReasonLimit},
	{"series_limit", ReasonLimit},
	{"err-mimir-max-", ReasonLimit},
	{"limit exceeded", ReasonLimit},
	{"limit of", ReasonLimit},
	{"too large", ReasonTooLarge},
	{"invalid", ReasonInvalid},
	{"metric name", ReasonInvalid},
	{"label", ReasonInvalid},
	{"histogram", ReasonInvalid},
	{"schema", ReasonInvalid},
}

// classify returns the reason that a text gives.
func classify(text string) Reason {
	low := strings.ToLower(text)
	for _, p := range phrases {
		if strings.Contains(low, p.text) {
			if p.reason == ReasonDuplicate && equalValues(low) {
				return ReasonSame
			}
			return p.reason
		}
	}
	return ReasonOther
}

// equalValues reports whether a text of Prometheus ("existing 2, new value 3")
// names the same value twice.
func equalValues(text string) bool {
	_, rest, ok := strings.Cut(text, "existing ")
	old, rest, ok2 := strings.Cut(rest, ", new value ")
	if !ok || !ok2 {
		return false
	}
	end := strings.IndexAny(rest, " \n\r\t;")
	if end < 0 {
		end = len(rest)
	}
	return old == rest[:end]
}

// keepsRest reports whether an answer is one of a receiver that stores the good
// series of a request that it refuses: one of 2.0, which says how much that is,
// Mimir, Cortex and what is built on it, and Thanos with its 409.
func keepsRest(a *answer) bool {
	return a.writtenKnown || a.status == http.StatusConflict || strings.Contains(a.text, "err-mimir-") || strings.HasPrefix(errorText(a.text), "user=")
}

// lasting reports whether a 5xx says something that will never be different:
// Prometheus before 2.43 answers so to samples that it should refuse.
func lasting(text string) bool {
	switch classify(text) {
	case ReasonTooOld, ReasonDuplicate, ReasonOutOfOrder, ReasonFuture:
		return true
	case ReasonInvalid:
		low := strings.ToLower(text)
		return strings.Contains(low, "is not unique") || strings.Contains(low, "native histograms are disabled") || strings.Contains(low, "invalid sample") || strings.Contains(low, "duplicate label")
	}
	return false
}

// wrongVersion reports whether a 400 says that the receiver does not read 2.0:
// receivers of 1.0 were free to answer so instead of 415.
func wrongVersion(text string) bool {
	low := strings.ToLower(text)
	for _, s := range []string{"content-type", "content type", "media type", "unsupported proto", "io.prometheus.write.v2", "proto:", "unmarshal", "wiretype", "wire type", "failed to decode", "cannot decode", "can't decode"} {
		if strings.Contains(low, s) {
			return true
		}
	}
	return false
}

// said quotes what a receiver said, cut to a length fit for a message.
func said(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return "nothing"
	}
	const most = 300
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return fmt.Sprintf("%q", text)
}
