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
// not let https://evil.example/.example.com/ in; /* at the end for all below. It
// takes no more steps than the product of the target's length and the stars.
func matches(target, pattern string) bool {
	return (&matching{target: target, parts: strings.Split(pattern, "*")}).from(0, 0)
}

// matching is a target that is compared with a pattern, cut at its stars.
type matching struct {
	target string
	parts  []string
	// tried has, for each star, up to where it was let end in vain. It is asked for
	// places that only rise, and whoever sends the target must not have each of
	// them tried again for each place of the stars before.
	tried []int
}

// from reports whether the target from at on is what the pattern is from its n-th
// part on.
func (m *matching) from(n, at int) bool {
	part := m.parts[n]
	if !strings.HasPrefix(m.target[at:], part) {
		return false
	}
	at += len(part)
	switch {
	case n == len(m.parts)-1:
		return at == len(m.target)
	case n == len(m.parts)-2 && m.parts[n+1] == "" && strings.HasSuffix(part, "/"):
		return true
	case n == len(m.tried):
		m.tried = append(m.tried, -1)
	}
	if at <= m.tried[n] {
		return false
	}
	for !m.from(n+1, at) {
		if at == len(m.target) || strings.IndexByte(`/?#@:\`, m.target[at]) >= 0 {
			m.tried[n] = at
			return false
		}
		at++
	}
	return true
}
