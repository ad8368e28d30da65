package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"narthex/internal/message"
)

// durationUnits are Prometheus's, the longest first.
var durationUnits = []struct {
	name string
	unit time.Duration
}{
	{"y", year}, {"w", 7 * day}, {"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

// ParseDuration reads a duration as Prometheus writes it: whole numbers with the
// units y, w, d, h, m, s and ms, each at most once, the longest first. 0 needs
// no unit.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%s is no duration: want one such as 15s, 1h30m or 30d", message.Quote(s))
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, bad
	}
	total, next := time.Duration(0), 0
	for rest := s; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if rest = rest[digits:]; err != nil {
			return 0, bad
		}
		name := rest[:len(rest)-len(strings.TrimLeft(rest, "ywdhms"))]
		for next < len(durationUnits) && durationUnits[next].name != name {
			next++
		}
		if next == len(durationUnits) {
			return 0, bad
		}
		unit := durationUnits[next].unit
		if n > int64((math.MaxInt64-total)/unit) {
			return 0, fmt.Errorf("%s is too long for a duration", message.Quote(s))
		}
		total += time.Duration(n) * unit
		rest, next = rest[len(name):], next+1
	}
	return total, nil
}

// FormatDuration writes a duration so that [ParseDuration] reads it, to the
// millisecond. Days are used from two on, if there is no rest.
func FormatDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	var b strings.Builder
	for _, u := range durationUnits[3:] {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// sizeUnits are the largest first.
var sizeUnits = []struct {
	name string
	unit int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6},
	{"KiB", 1 << 10}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1},
}

// ParseSize reads a number of bytes: a whole number with a unit of powers of
// 1024 (KiB, MiB, GiB, TiB) or of 1000 (kB, MB, GB, TB), or none.
func ParseSize(s string) (int64, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	name := strings.TrimLeft(s[digits:], " ")
	for _, u := range sizeUnits {
		if u.name != name || err != nil {
			continue
		}
		if n > math.MaxInt64/u.unit {
			break
		}
		return n * u.unit, nil
	}
	return 0, fmt.Errorf("%s is no size: want one such as 10MiB or 1GB", message.Quote(s))
}

// FormatSize writes a number of bytes so that [ParseSize] reads it.
func FormatSize(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.unit && n%u.unit == 0 {
			return strconv.FormatInt(n/u.unit, 10) + u.name
		}
	}
	return "0B"
}

// isWord reports whether s has 1 to most letters, digits, dots, underscores and
// dashes, the first of which is none of notFirst. A regular expression would be
// compiled at each start of the function.
func isWord(s string, most int, notFirst string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return s != "" && len(s) <= most && !strings.ContainsAny(s[:1], notFirst) && strings.Trim(s, allowed) == ""
}
