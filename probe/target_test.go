package probe_test

import (
	"net/netip"
	"strings"
	"testing"

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

func FuzzMatches(f *testing.F) {
	for _, s := range [][2]string{{"https://a.example/", "https://*.example/"}, {"https://a/b", "https://a/*"}, {"aaaa", "*a*a*"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, target, pattern string) {
		if len(target) > 100 || strings.Count(pattern, "*") > 4 {
			return // its time is that of all ways to place the stars
		}
		if probe.Matches(target, pattern) && !strings.Contains(pattern, "*") && target != pattern {
			t.Errorf("%q fits %q", target, pattern)
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
