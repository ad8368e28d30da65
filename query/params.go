package query

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"

	"narthex/query/syntax"
)

// parseTime reads seconds since the epoch, with a fraction, or RFC 3339.
func parseTime(s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if !(f >= float64(minTime().Unix()) && f <= float64(maxTime().Unix())) { // not NaN either
			return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
		}
		sec, frac := math.Modf(f)
		return time.Unix(int64(sec), int64(math.Round(frac*1000)*1e6)).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	// The bounds have years of more than four digits, which time can write but
	// not read.
	for _, t := range []time.Time{minTime(), maxTime()} {
		if s == t.Format(time.RFC3339Nano) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("cannot parse %q to a valid timestamp", s)
}

// parseDuration reads seconds, with a fraction, or a duration such as 1h30m.
func parseDuration(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		ns := f * float64(time.Second)
		if !(math.Abs(ns) < math.MaxInt64) { // not NaN either
			return 0, fmt.Errorf("cannot parse %q to a valid duration. It overflows int64", s)
		}
		return time.Duration(ns), nil
	}
	d, err := model.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %q to a valid duration", s)
	}
	return time.Duration(d), nil
}

// timeParam reads an optional time.
func timeParam(f url.Values, name string, absent time.Time) (time.Time, error) {
	s := f.Get(name)
	if s == "" {
		return absent, nil
	}
	t, err := parseTime(s)
	if err != nil {
		return t, badParam(name, fmt.Errorf("invalid time value for '%s': %w", name, err))
	}
	return t, nil
}

// rangeParams reads the optional start and end of what is listed, as
// milliseconds since the epoch.
func rangeParams(f url.Values) (mint, maxt int64, err error) {
	start, err := timeParam(f, "start", minTime())
	if err != nil {
		return 0, 0, err
	}
	end, err := timeParam(f, "end", maxTime())
	if err != nil {
		return 0, 0, err
	}
	if end.Before(start) {
		return 0, 0, badData(errors.New("end timestamp must not be before start timestamp"))
	}
	return timestamp.FromTime(start), timestamp.FromTime(end), nil
}

// limitParam reads an optional limit; 0 means none.
func limitParam(f url.Values) (int, error) {
	s := f.Get("limit")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = errors.New("limit must be non-negative")
	}
	if err != nil {
		return 0, badParam("limit", err)
	}
	return n, nil
}

// maxSelectors bounds the selectors of one request: each goes through the whole
// index by itself, and a form has room for 50,000.
const maxSelectors = 100

// matcherSets reads the selectors match[]. One that matches everything is
// refused.
func (a *API) matcherSets(f url.Values) ([][]*labels.Matcher, error) {
	given := f["match[]"]
	if len(given) > maxSelectors {
		return nil, badParam("match[]", fmt.Errorf("there are %d of them, the limit is %d", len(given), maxSelectors))
	}
	for _, s := range given {
		if len(s) > syntax.MaxQuery {
			return nil, badParam("match[]", fmt.Errorf("it has %d bytes, the limit is %d", len(s), syntax.MaxQuery))
		}
	}
	sets, err := a.parser.ParseMetricSelectors(given)
	if err != nil {
		return nil, badParam("match[]", err)
	}
	for _, set := range sets {
		if !selective(set) {
			return nil, badParam("match[]", errors.New("match[] must contain at least one non-empty matcher"))
		}
	}
	return sets, nil
}

// selective reports whether a series without labels wouldn't match.
func selective(set []*labels.Matcher) bool {
	for _, m := range set {
		if !m.Matches("") {
			return true
		}
	}
	return false
}
