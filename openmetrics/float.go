package openmetrics

import (
	"math"
	"strconv"
	"strings"

	"narthex"
	"narthex/internal/protowire"
)

// appendValue appends a sample's value in the shortest form that is read as
// the same number. With point set it has a "." or an exponent.
func appendValue(dst []byte, f float64, point bool) []byte {
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	if !point || math.IsNaN(f) || math.IsInf(f, 0) {
		return dst
	}
	for _, c := range dst[n:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendCount appends a count: a whole number as it is, so that none needs an
// exponent.
func appendCount(dst []byte, f float64) []byte {
	if protowire.Whole(f) {
		return strconv.AppendUint(dst, uint64(f), 10)
	}
	return appendValue(dst, f, false)
}

// parseFloat reads a number as Go wrote it before 1.13, as Prometheus does:
// without underscores and hexadecimal exponents.
func parseFloat(s string) (float64, error) {
	if n, ok := digits(s); ok {
		return float64(n), nil
	}
	if strings.ContainsAny(s, "pP_") {
		return 0, notANumber(s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, notANumber(s)
	}
	return f, nil
}

// digits reads a number of at most 15 digits, which a float64 holds exactly.
func digits(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 15 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

func notANumber(s string) error {
	if strings.HasSuffix(s, "\r") {
		return narthex.Errorf(narthex.Invalid, "%q is not a number: end the lines with a line feed alone, without a carriage return", clip(s))
	}
	return narthex.Errorf(narthex.Invalid, "%q is not a number", clip(s))
}

// parseSeconds reads a time in seconds and returns it in milliseconds,
// rounded.
func parseSeconds(s string) (int64, error) {
	f, err := parseFloat(s)
	if err != nil {
		return 0, err
	}
	return milliseconds(f)
}

// maxSeconds is the year 33658: what is beyond is no time, and its
// milliseconds are exact up to there.
const maxSeconds = 1e12

func milliseconds(seconds float64) (int64, error) {
	if !(math.Abs(seconds) <= maxSeconds) {
		return 0, narthex.Errorf(narthex.Invalid, "%v is not a time in seconds since 1970", seconds)
	}
	return int64(math.Round(seconds * 1000)), nil
}

// appendSeconds appends a time in milliseconds as seconds.
func appendSeconds(dst []byte, ms int64) []byte {
	sign, u := "", uint64(ms)
	if ms < 0 {
		sign, u = "-", -u
	}
	dst = append(dst, sign...)
	dst = strconv.AppendUint(dst, u/1000, 10)
	frac := u % 1000
	return append(dst, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
}

// clip cuts s to a length fit for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
