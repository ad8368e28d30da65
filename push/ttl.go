package push

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
)

// TTLRule says how long groups live without a push.
type TTLRule struct {
	// Match is as that of a [Rule], for the grouping labels.
	Match map[string]*regexp.Regexp
	// TTL is the time to live; 0 is for ever.
	TTL time.Duration
}

// The bounds of a time to live other than 0.
const (
	minTTL = time.Second
	maxTTL = 100 * 365 * 24 * time.Hour
)

// groupTTL returns how long the group lives after this push: what the parameter
// ttl says, or the header X-Narthex-TTL, or else the first rule that matches.
func (d *door) groupTTL(r *http.Request, group narthex.Labels) (time.Duration, error) {
	text, where := r.Header.Get("X-Narthex-TTL"), "the header X-Narthex-TTL"
	if q := r.URL.Query(); q.Has("ttl") {
		text, where = q.Get("ttl"), "the parameter ttl"
	}
	if text != "" {
		ttl, ok := parseTTL(text)
		if !ok {
			return 0, narthex.Errorf(narthex.Invalid, "%s is %s: want a duration from 1s to 100 years such as 26h or 7d, or 0 for ever", where, message.Quote(text))
		}
		return ttl, nil
	}
	for _, rule := range d.GroupTTL {
		if (Rule{Match: rule.Match}).matches(group) {
			return rule.TTL, nil
		}
	}
	return 0, nil
}

// parseTTL reads a duration as Go writes it, or a whole number of days or
// weeks.
func parseTTL(text string) (time.Duration, bool) {
	for unit, size := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			return time.Duration(n) * size, err == nil && n <= uint64(maxTTL/size)
		}
	}
	ttl, err := time.ParseDuration(text)
	return ttl, err == nil && (ttl == 0 || ttl >= minTTL && ttl <= maxTTL)
}
