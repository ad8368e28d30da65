package aws

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// appendPath appends the canonical path: as it is sent, or normalised (RFC
// 3986, 5.2.4, and no empty segments) and encoded once more.
func (s *Signer) appendPath(b []byte, r *http.Request) []byte {
	path := sentPath(r.URL)
	if s.PathAsIs {
		return append(b, path...)
	}
	if strings.Contains(path, "//") || strings.Contains(path, "/.") {
		path = normal(path)
	}
	return appendEscaped(b, path, true)
}

// sentPath returns the path as the request line has it.
func sentPath(u *url.URL) string {
	path := u.EscapedPath()
	if u.Opaque != "" {
		path, _, _ = strings.Cut(u.Opaque, "?")
		if rest, ok := strings.CutPrefix(path, "//"); ok {
			_, path, _ = strings.Cut(rest, "/")
			path = "/" + path
		}
	}
	if path == "" {
		return "/"
	}
	return path
}

// normal removes empty segments, "." and "..", and keeps a slash at the end.
func normal(path string) string {
	var kept []string
	segments := strings.Split(path, "/")
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
		}
	}
	out := "/" + strings.Join(kept, "/")
	switch last := segments[len(segments)-1]; {
	case len(kept) > 0 && (last == "" || last == "." || last == ".."):
		out += "/"
	}
	return out
}

// canonicalQuery encodes all but the unreserved characters and then sorts the
// parameters by name, then by value. As in a form, a plus is a space; what is
// not well-formed is left out, as [url.URL.Query] does.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	type parameter struct{ name, value string }
	var list []parameter
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" || strings.Contains(part, ";") {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		v, verr := url.QueryUnescape(value)
		if err == nil && verr == nil {
			list = append(list, parameter{string(appendEscaped(nil, n, false)), string(appendEscaped(nil, v, false))})
		}
	}
	slices.SortStableFunc(list, func(a, b parameter) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	out := make([]byte, 0, len(raw)+16)
	for i, p := range list {
		if i > 0 {
			out = append(out, '&')
		}
		out = append(out, p.name...)
		out = append(out, '=')
		out = append(out, p.value...)
	}
	return string(out)
}

// appendEscaped appends s with all but the unreserved characters of RFC 3986
// encoded, and the slash if it is not kept.
func appendEscaped(b []byte, s string, slash bool) []byte {
	const hexadecimal = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~' || slash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	return b
}
