package accesslog

import "bytes"

// maxDigits bounds a number's digits, those after the point that are kept
// included, so that it fits an int64.
const maxDigits = 18

// decimal reads a number that is not negative as an integer of 10^-digits:
// seconds with 9 digits are nanoseconds. Digits beyond are cut off. absent is
// true for the ways in which logs say that there is no number: nothing, "-"
// and anything below zero (ALB writes -1).
func decimal(b []byte, digits int) (v int64, absent, ok bool) {
	if len(b) == 0 || b[0] == '-' {
		return 0, true, true
	}
	i, n := 0, 0
	for ; i < len(b) && b[i]-'0' < 10; i++ {
		if v = v*10 + int64(b[i]-'0'); v > 0 {
			n++
		}
		if n > maxDigits {
			return 0, false, false
		}
	}
	seen := i
	if i < len(b) && b[i] == '.' {
		for i++; i < len(b) && b[i]-'0' < 10; i++ {
			seen++
			if digits > 0 {
				digits--
				if v = v*10 + int64(b[i]-'0'); v > 0 {
					n++
				}
			}
		}
	}
	if i != len(b) || seen == 0 || n+digits > maxDigits && v > 0 {
		return 0, false, false
	}
	for ; digits > 0; digits-- {
		v *= 10
	}
	return v, false, true
}

// threeDigits reads a status.
func threeDigits(b []byte) (int, bool) {
	if len(b) != 3 || b[0]-'0' > 9 || b[1]-'0' > 9 || b[2]-'0' > 9 {
		return 0, false
	}
	return int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0'), true
}

// twoDigits reads b[i:i+2]; what is not a digit makes the result negative.
func twoDigits(b []byte, i int) int {
	hi, lo := int(b[i])-'0', int(b[i+1])-'0'
	if uint(hi) > 9 || uint(lo) > 9 {
		return -1
	}
	return hi*10 + lo
}

// clockSeconds reads hh:mm:ss at the beginning of b.
func clockSeconds(b []byte) (int64, bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, false
	}
	h, m, s := twoDigits(b, 0), twoDigits(b, 3), twoDigits(b, 6)
	if uint(h) > 23 || uint(m) > 59 || uint(s) > 60 {
		return 0, false
	}
	return int64(h*3600 + m*60 + s), true
}

// dateDays reads yyyy-mm-dd at the beginning of b as days since the epoch.
func dateDays(b []byte) (int64, bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	century, year, month, day := twoDigits(b, 0), twoDigits(b, 2), twoDigits(b, 5), twoDigits(b, 8)
	if century < 0 || year < 0 {
		return 0, false
	}
	return civilDays(century*100+year, month, day)
}

// civilDays returns the days from 1970-01-01 to a date of the Gregorian
// calendar. Years begin in March here, so that the leap day comes last.
func civilDays(year, month, day int) (int64, bool) {
	if year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	if month <= 2 {
		year--
		month += 12
	}
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return int64(year*365 + year/4 - year/100 + year/400 + dayOfYear - 719468), true
}

// isoMillis reads an RFC 3339 time, whose zone may be missing (UTC) and whose
// fraction may have any length.
func isoMillis(b []byte) (int64, bool) {
	days, ok := dateDays(b)
	if !ok || len(b) < 19 || b[10] != 'T' && b[10] != ' ' {
		return 0, false
	}
	secs, ok := clockSeconds(b[11:])
	if !ok {
		return 0, false
	}
	ms, rest := days*86_400_000+secs*1000, b[19:]
	if len(rest) > 0 && rest[0] == '.' {
		scale := int64(100)
		for rest = rest[1:]; len(rest) > 0 && rest[0]-'0' < 10; rest = rest[1:] {
			ms += int64(rest[0]-'0') * scale
			scale /= 10
		}
	}
	offset, ok := zoneMillis(rest)
	return ms - offset, ok
}

// zoneMillis reads Z, nothing, +hh:mm, +hhmm, or a negative one.
func zoneMillis(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) == 6 && b[3] == ':' {
		b = []byte{b[0], b[1], b[2], b[4], b[5]}
	}
	if len(b) != 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	h, m := twoDigits(b, 1), twoDigits(b, 3)
	if uint(h) > 23 || uint(m) > 59 {
		return 0, false
	}
	offset := int64(h*60+m) * 60_000
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// clfMillis reads the time of the common log format, 10/Oct/2000:13:55:36 -0700.
func clfMillis(b []byte) (int64, bool) {
	if len(b) < 20 || b[2] != '/' || b[6] != '/' || b[11] != ':' {
		return 0, false
	}
	month := bytes.Index([]byte("JanFebMarAprMayJunJulAugSepOctNovDec"), b[3:6])
	century, year := twoDigits(b, 7), twoDigits(b, 9)
	if month < 0 || month%3 != 0 || century < 0 || year < 0 {
		return 0, false
	}
	days, ok := civilDays(century*100+year, month/3+1, twoDigits(b, 0))
	secs, ok2 := clockSeconds(b[12:])
	zone, ok3 := zoneMillis(bytes.TrimLeft(b[20:], " "))
	return days*86_400_000 + secs*1000 - zone, ok && ok2 && ok3
}

// epochMillis reads seconds or milliseconds since the epoch, told apart by
// their size: 10^11 seconds would be the year 5138.
func epochMillis(b []byte) (int64, bool) {
	v, absent, ok := decimal(b, 3)
	if !ok || absent {
		return 0, false
	}
	if v >= 100_000_000_000_000 {
		v /= 1000
	}
	return v, true
}

// anyMillis reads a time in whichever of the ways above it is written.
func anyMillis(b []byte) (int64, bool) {
	switch {
	case len(b) > 10 && b[4] == '-':
		return isoMillis(b)
	case len(b) > 11 && b[2] == '/':
		return clfMillis(b)
	}
	return epochMillis(b)
}
