package config_test

import (
	"testing"
	"time"

	"narthex/config"
)

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	f := func(s string, want time.Duration, back string) {
		t.Helper()
		got, err := config.ParseDuration(s)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
		if got := config.FormatDuration(want); got != back {
			t.Errorf("%v: got %q, want %q", want, got, back)
		}
	}
	f("0", 0, "0s")
	f("0s", 0, "0s")
	f("500ms", 500*time.Millisecond, "500ms")
	f("15s", 15*time.Second, "15s")
	f("90s", 90*time.Second, "1m30s")
	f("1h30m", 90*time.Minute, "1h30m")
	f("1d", day, "24h")
	f("2d", 2*day, "2d")
	f("2d1h", 49*time.Hour, "49h")
	f("30d", 30*day, "30d")
	f("1y1w1d1h1m1s1ms", 373*day+time.Hour+time.Minute+time.Second+time.Millisecond, "8953h1m1s1ms")

	for _, s := range []string{"", " ", "1", "s", "1.5h", "-1s", "+1s", "1x", "1h1h", "1m1h", "1s 1ms", "15 s", "1ns", "1h30", "1mss", "999999999999y", "292y292y", "99999999999999999999s", "300y"} {
		if got, err := config.ParseDuration(s); err == nil {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestSize(t *testing.T) {
	f := func(s string, want int64, back string) {
		t.Helper()
		got, err := config.ParseSize(s)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
		if got := config.FormatSize(want); got != back {
			t.Errorf("%v: got %q, want %q", want, got, back)
		}
	}
	f("0", 0, "0B")
	f("100", 100, "100B")
	f("100B", 100, "100B")
	f("1kB", 1000, "1kB")
	f("1KB", 1000, "1kB")
	f("1KiB", 1024, "1KiB")
	f("10MiB", 10<<20, "10MiB")
	f("10 MiB", 10<<20, "10MiB")
	f("5MB", 5e6, "5MB")
	f("1GB", 1e9, "1GB")
	f("3GiB", 3<<30, "3GiB")
	f("1TB", 1e12, "1TB")
	f("2TiB", 2<<40, "2TiB")
	for _, s := range []string{"", "MiB", "1.5MiB", "-1", "1mb", "1 M", "1MiBB", "9999999999TiB", "99999999999999999999"} {
		if got, err := config.ParseSize(s); err == nil {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
