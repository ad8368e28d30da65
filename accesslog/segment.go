package accesslog

import (
	"bytes"
	"unicode/utf8"
)

// maxSegments is how many parts of a path are looked at. What comes behind
// belongs to the last.
const maxSegments = 32

// split cuts a path at its slashes into dst. Slashes at the end and double
// ones make no part.
func split(path []byte, dst [][]byte) [][]byte {
	dst = dst[:0]
	for len(path) > 0 {
		if path[0] == '/' {
			path = path[1:]
			continue
		}
		end := bytes.IndexByte(path, '/')
		if end < 0 || len(dst) == maxSegments-1 {
			end = len(path)
		}
		dst = append(dst, path[:end])
		path = path[end:]
	}
	return dst
}

// unescape decodes %XX, once, and leaves what is no such thing as it is. It
// returns b itself if there is nothing to decode; otherwise the result is
// appended to scratch.
func unescape(b []byte, scratch *[]byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	start := len(*scratch)
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if hi, lo := hexDigit(b[i+1]), hexDigit(b[i+2]); hi >= 0 && lo >= 0 {
				*scratch = append(*scratch, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		*scratch = append(*scratch, b[i])
	}
	return (*scratch)[start:]
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// A class is what a part of a path looks like.
type class uint8

const (
	classLiteral class = iota
	className          // one of too many literals
	classID
	classUUID
	classHash
	classEmail
	classToken
	classSlug
	classAny // what no one types
	numClasses
)

// classText is what a class is called in a route.
var classText = [numClasses]string{"", "{name}", "{id}", "{uuid}", "{hash}", "{email}", "{token}", "{slug}", "{any}"}

// What a part of a path may be long to stand for itself, and from what length
// on it is taken for a hash, a token or a slug.
const (
	maxLiteral = 48
	minHash    = 8
	minToken   = 20
	minSlug    = 16
)

// classify says what a decoded part of a path looks like.
func classify(b []byte) class {
	var c census
	for _, x := range b {
		if !c.add(x) {
			return classAny
		}
	}
	switch {
	case c.wide && !utf8.Valid(b):
		return classAny
	case c.at > 0 && c.dots > 0:
		return classEmail
	case c.digits > 0 && c.letters == 0:
		return classID
	case len(b) == 36 && c.hex == 32 && c.hyphens == 4 && b[8] == '-' && b[13] == '-':
		return classUUID
	case len(b) >= minHash && c.hex == len(b) && c.digits > 0:
		return classHash
	case c.run >= 4 || c.digits*2 >= len(b) && len(b) > 3:
		return classID
	case len(b) >= minToken && c.digits > 0 && c.upper > 0 && c.lower > 0:
		return classToken
	case len(b) >= minSlug && c.hyphens+c.underscores >= 3:
		return classSlug
	case len(b) > maxLiteral:
		return classAny
	}
	return classLiteral
}

// A census counts what a part of a path is made of.
type census struct {
	letters, upper, lower, digits, hex, hyphens, underscores, dots, at int
	run, current                                                       int // digits in a row: the most, and up to here
	wide                                                               bool
}

// add counts a byte. It returns false if no part that people type has it.
func (c *census) add(x byte) bool {
	if '0' <= x && x <= '9' {
		c.digits, c.hex, c.current = c.digits+1, c.hex+1, c.current+1
		c.run = max(c.run, c.current)
		return true
	}
	c.current = 0
	switch {
	case 'a' <= x && x <= 'z':
		c.letters, c.lower = c.letters+1, c.lower+1
		if x <= 'f' {
			c.hex++
		}
	case 'A' <= x && x <= 'Z':
		c.letters, c.upper = c.letters+1, c.upper+1
		if x <= 'F' {
			c.hex++
		}
	case x == '-':
		c.hyphens++
	case x == '_':
		c.underscores++
	case x == '.':
		c.dots++
	case x == '@':
		c.at++
	case x >= utf8.RuneSelf:
		c.letters, c.wide = c.letters+1, true
	default:
		return bytes.IndexByte([]byte("~!$&'()+,;=:"), x) >= 0
	}
	return true
}

// assets are the endings of files that belong to a page.
var assets = []string{
	".js", ".css", ".png", ".jpg", ".svg", ".ico", ".woff2", ".woff", ".webp", ".gif", ".jpeg", ".avif", ".map", ".mjs", ".ttf", ".otf",
	".mp4", ".mp3", ".webm", ".m3u8", ".m4s", ".ts", ".wasm", ".pdf", ".zip",
}

// longestAsset is the length of the longest of the assets.
const longestAsset = 6

// assetOf returns the ending of a file that belongs to a page (images, scripts,
// fonts), in lower case with its point, or "".
func assetOf(last []byte) string {
	dot := bytes.LastIndexByte(last, '.')
	if dot < 0 || len(last)-dot > longestAsset {
		return ""
	}
	var lower [longestAsset]byte
	n := copy(lower[:], last[dot:])
	for i := range lower[:n] {
		if 'A' <= lower[i] && lower[i] <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	for _, a := range assets {
		if a == string(lower[:n]) {
			return a
		}
	}
	return ""
}
