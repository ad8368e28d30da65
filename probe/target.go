package probe

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// hostOf returns the host of a target: an address with a protocol, host:port, or
// just a host.
func hostOf(target string) string {
	if strings.Contains(target, "://") {
		if u, err := url.Parse(target); err == nil {
			return u.Hostname()
		}
	}
	if host, _, err := net.SplitHostPort(target); err == nil {
		return host
	}
	host, _, _ := strings.Cut(target, "/")
	return host
}

// matchesAny reports whether a target is one of the allowed ones.
func matchesAny(target string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(pattern string) bool { return matches(target, pattern) })
}

// matches reports whether a target fits a pattern. A star stands for any
// characters within one part of an address, so that https://*.example.com/ does
// not let https://evil.example/.example.com/ in; /* at the end for all below.
func matches(target, pattern string) bool {
	if prefix, all := strings.CutSuffix(pattern, "/*"); all && !strings.Contains(prefix, "*") {
		return strings.HasPrefix(target, prefix+"/")
	}
	first, rest, star := strings.Cut(pattern, "*")
	target, found := strings.CutPrefix(target, first)
	if !found || !star {
		return found && target == ""
	}
	if rest == "" && strings.HasSuffix(first, "/") && strings.Count(first, "/") > 2 {
		return true
	}
	for i := 0; ; i++ {
		if matches(target[i:], rest) {
			return true
		}
		if i == len(target) || strings.IndexByte(`/?#@:\`, target[i]) >= 0 {
			return false
		}
	}
}
