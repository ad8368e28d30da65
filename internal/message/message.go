// Package message helps to word messages for people: near names, durations, and
// texts from outside that are quoted and cut.
package message

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Suggest ends the message of an unknown name: with the nearest known one if it
// is near, with all of them otherwise.
func Suggest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if n := distance(name, k, least); n < least && n < len(k) {
			best, least = k, n
		}
	}
	if best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	return "known are " + strings.Join(known, ", ")
}

// distance is the number of bytes to insert, delete or change to get from a to
// b (Levenshtein), or limit if it is at least that.
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}

// Clip returns s, or its first n bytes and an ellipsis if it is longer.
func Clip(s string, n int) string {
	if len(s) <= n+len("…") {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Duration writes a duration without the units that are zero at its end: 24h, not
// 24h0m0s.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Quote quotes s, clipped to a length fit for a message.
func Quote(s string) string { return strconv.Quote(Clip(s, 80)) }
