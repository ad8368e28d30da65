package probe_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"narthex/probe"
)

func TestAllowedTargets(t *testing.T) {
	for _, tt := range []struct {
		pattern  string
		fit, not []string
	}{
		{"https://shop.example", []string{"https://shop.example"}, []string{"https://shop.example/", "http://shop.example", "https://shop.example.evil"}},
		{"https://shop.example/*", []string{"https://shop.example/", "https://shop.example/a/b?c=d#e"}, []string{"https://shop.example", "https://shop.example.evil/", "https://shop.example@evil/", "https://evil/https://shop.example/"}},
		{"https://*.shop.example/", []string{"https://www.shop.example/", "https://a.b.shop.example/"}, []string{"https://evil.example/.shop.example/", "https://evil?.shop.example/", "https://evil#.shop.example/", "https://a@evil.shop.example/", `https://evil\.shop.example/`, "https://evil:80.shop.example/"}},
		{"https://*.shop.example/*", []string{"https://www.shop.example/a/b"}, []string{"https://evil.example/.shop.example/a"}},
		{"http://127.0.0.1:*/ok", []string{"http://127.0.0.1:8080/ok"}, []string{"http://127.0.0.1:8080/no", "http://127.0.0.1:80@evil/ok"}},
		{"*:443", []string{"shop.example:443"}, []string{"shop.example:80", "a/b:443"}},
		{"*", []string{"shop.example", ""}, []string{"https://shop.example/"}},
	} {
		for _, s := range tt.fit {
			if !probe.Matches(s, tt.pattern) {
				t.Errorf("%s does not fit %s", s, tt.pattern)
			}
		}
		for _, s := range tt.not {
			if probe.Matches(s, tt.pattern) {
				t.Errorf("%s fits %s", s, tt.pattern)
			}
		}
	}
}

// TestHostnameOfAllowedTargets: where a module is for some targets, no other name
// may be asked for at their addresses.
func TestHostnameOfAllowedTargets(t *testing.T) {
	target := serve(t, text(""))
	m := moduleOf("http", func(m *probe.Module) { m.AllowedTargets = []string{target} })
	wantVerdict(t, runRequest(t, m, probe.Request{Target: target, Module: "m"}), "ok")
	wantVerdict(t, runRequest(t, m, probe.Request{Target: target, Module: "m", Hostname: "127.0.0.1"}), "ok")
	wantVerdict(t, runRequest(t, m, probe.Request{Target: target, Module: "m", Hostname: "evil.example"}), "policy/not_allowed")
}

// TestMatchesInTime: whoever may ask for a probe chooses the target, and the time
// that a comparison takes must not be that of all ways to place the stars.
func TestMatchesInTime(t *testing.T) {
	done := make(chan bool, 1)
	go func() { done <- probe.Matches(strings.Repeat("a", 60_000), strings.Repeat("*a", 20)+"*b") }()
	select {
	case fits := <-done:
		if fits {
			t.Error("it fits")
		}
	case <-time.After(20 * time.Second): // it takes a millisecond
		t.Fatal("a target of 60,000 bytes is still being compared after 20 s")
	}
}

// placed is the meaning of a pattern, by trying all places of its stars.
func placed(target, pattern string) bool {
	if prefix, all := strings.CutSuffix(pattern, "/*"); all && !strings.Contains(prefix, "*") {
		return strings.HasPrefix(target, prefix+"/")
	}
	first, rest, star := strings.Cut(pattern, "*")
	target, found := strings.CutPrefix(target, first)
	if !found || !star {
		return found && target == ""
	}
	for i := 0; ; i++ {
		if placed(target[i:], rest) {
			return true
		}
		if i == len(target) || strings.IndexByte(`/?#@:\`, target[i]) >= 0 {
			return false
		}
	}
}

func FuzzMatches(f *testing.F) {
	for _, s := range [][2]string{
		{"https://a.example/", "https://*.example/"}, {"https://a/b", "https://a/*"}, {"aaaa", "*a*a*"}, {"https://a.b/c/d", "https://*.b/*"},
		{"a/b/a/b", "*/b*a*b"}, {"a:1/a:2", "*:*/*:*"}, {"//", "*/*"}, {"", "**"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, target, pattern string) {
		got := probe.Matches(target, pattern)
		if len(target) > 40 || strings.Count(pattern, "*") > 4 {
			return // the oracle would take too long
		}
		if want := placed(target, pattern); got != want {
			t.Errorf("%q fits %q: %v, want %v", target, pattern, got, want)
		}
	})
}

func FuzzNumeric(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "::1", "::ffff:127.0.0.1", "fe80::1%lo", "4294967296", "1.2.3.4.5", "0x", "08", "1..2", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		addr, ok := probe.Numeric(host)
		if want, err := netip.ParseAddr(host); err == nil && (!ok || addr != want.Unmap()) {
			t.Errorf("%q is %v, want %v", host, addr, want)
		}
		if ok && (!addr.IsValid() || addr.Is4In6()) {
			t.Errorf("%q is %v", host, addr)
		}
	})
}
