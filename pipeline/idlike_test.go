package pipeline_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"narthex/pipeline"
)

func TestIDKind(t *testing.T) {
	for v, want := range map[string]string{
		"550e8400-e29b-41d4-a716-446655440000":               "uuid",
		"550E8400-E29B-41D4-A716-446655440000":               "uuid",
		"req-550e8400-e29b-41d4-a716-446655440000":           "uuid",
		"/users/550e8400-e29b-41d4-a716-446655440000/orders": "uuid",
		"01ARZ3NDEKTSV4RRFFQ69G5FAV":                         "ulid",
		"1767225600":                                         "timestamp",
		"1767225600000":                                      "timestamp",
		"1767225600000000":                                   "timestamp",
		"1767225600000000000":                                "timestamp",
		"/report/1767225600":                                 "timestamp",
		"4bf92f3577b34da6a3ce929d0e0e4736":                   "hex number",
		"00f067aa0ba902b7":                                   "hex number",
		"00F067AA0BA902B7":                                   "hex number",
		"9999999999999999999999":                             "hex number",
		"dQw4w9WgXcQ7kPz2LmN8":                               "random id",
		"xK9-aB3_zQ7wE5rT1yU8":                               "random id",

		"":                             "",
		"GET":                          "",
		"200":                          "",
		"eu-central-1":                 "",
		"production":                   "",
		"123456789012":                 "", // an account of AWS
		"0441234567":                   "",
		"9999999999":                   "",
		"/api/v1/orders/{id}":          "",
		"/users/:id":                   "",
		"2026-01-02":                   "",
		"2026-01-02T03:04:05Z":         "",
		"checkout-service-production":  "",
		"MyLambdaFunctionName2Version": "",
		"HelloWorldFunction-prod-v12":  "",
		"internal_server_error":        "",
		"deadbeefdeadbeef":             "",
		"application/json":             "",
		"Mozilla/5.0 (X11; Linux)":     "",
		"10.0.0.1:8080":                "",
		"arn:aws:lambda:eu-central-1:123456789012:function:shop": "",
		"v1.2.3-rc.4+build.20260102":                             "",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ":                             "",
		"AMAZON_LINUX_2023_ARM64_V2":                             "",
		"Überraschungsgeschenk":                                  "",
	} {
		if got := pipeline.IDKind(v); got != want {
			t.Errorf("%q looks like %q, want %q", v, got, want)
		}
	}
}

// Most random ids are found.
func TestIDKindRandom(t *testing.T) {
	found, hexes := 0, 0
	const n = 1000
	for range n {
		b := make([]byte, 18)
		rand.Read(b)
		if pipeline.IDKind(base64.RawURLEncoding.EncodeToString(b)) != "" {
			found++
		}
		if pipeline.IDKind(hex.EncodeToString(b)) == "hex number" {
			hexes++
		}
	}
	if found < n*7/10 || hexes < n-2 {
		t.Errorf("found %d base64 ids and %d hex numbers of %d", found, hexes, n)
	}
}

func TestSuspects(t *testing.T) {
	var st store
	l := pipeline.NewLimiter(pipeline.LimiterOptions{})
	s := l.Before(&st)
	b := batch(0)
	for i := range 3 {
		b.Series = append(b.Series, increment(labels(t, "a", "request", fmt.Sprintf("550e8400-e29b-41d4-a716-44665544000%d", i), "at", "1767225600", "ok", "x"), 1))
	}
	again := b.Series
	write(t, s, b)
	if len(b.Warnings) != 2 || !strings.Contains(b.Warnings[1], `the label request looks like a uuid in 3 new series of this push (such as "550e8400-e29b-41d4-a716-446655440000")`) {
		t.Errorf("warnings %q", b.Warnings)
	}
	b = batch(0, again...)
	write(t, s, b)
	if len(b.Warnings) != 0 {
		t.Errorf("known series: %q", b.Warnings)
	}
	got := l.Status(1).Suspects
	if len(got) != 2 || got[1].Label != "request" || got[1].Kind != "uuid" || got[1].Series != 3 || got[1].Metric != "a" || got[1].Example != "550e8400-e29b-41d4-a716-446655440000" || got[1].Last.IsZero() {
		t.Errorf("the status: %+v", got)
	}
	for i := range 250 { // no more are known than so many
		write(t, s, batch(0, increment(labels(t, "a", fmt.Sprint("label", i), "550e8400-e29b-41d4-a716-446655440000"), 1)))
	}
	if got := l.Status(1).Suspects; len(got) != 200 {
		t.Errorf("the status has %d", len(got))
	}
}

func FuzzIDKind(f *testing.F) {
	for _, v := range []string{"", "/", "//", "550e8400-e29b-41d4-a716-446655440000", "/a/1767225600", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "é", strings.Repeat("a1B", 100)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if kind := pipeline.IDKind(v); kind != "" && len(v) < 10 {
			t.Errorf("%q looks like a %s", v, kind)
		}
	})
}
