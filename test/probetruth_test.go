package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex/lambda/emulator"
	"narthex/openmetrics"
	"narthex/remotewrite"
)

// measured is a probe as a function saw it.
type measured struct {
	duration, wait float64 // seconds
	throttled      bool
}

func middleProbe(all []measured, of func(measured) float64) float64 {
	values := make([]float64, len(all))
	for i, m := range all {
		values[i] = of(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// probeFunction starts the function with the configuration, on a share of a
// processor; nil where this machine can't ration it.
func probeFunction(t *testing.T, memory int, cpu emulator.CPU, config string) *emulator.Function {
	t.Helper()
	f, err := emulator.Start(emulator.Options{
		Code: bootstrap(t), Memory: memory, Timeout: 55 * time.Second, CPU: cpu,
		Env: []string{"NARTHEX_CONFIG=" + config},
	})
	if err != nil {
		if strings.Contains(err.Error(), "can't be rationed here") {
			t.Log(err)
			return nil
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// What a function without CPU measures is the waiting, and it says so: probes of a
// page on this machine over HTTPS, one right after the other, with the CPU that
// comes with 128 MB.
func TestProbeTruth(t *testing.T) {
	page := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(page.Close)
	const config = "lambda: {roles: [probe], allow_unauthenticated: true}\nprobes: {allowed_targets: [\"*\"], guard: {loopback: true}}\n" +
		"modules: {http_2xx: {prober: http, http: {tls_config: {insecure_skip_verify: true}}}}\n"
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": "/probe", "rawQueryString": "target=" + url.QueryEscape(page.URL),
		"requestContext": map[string]any{"http": map[string]string{"method": "GET", "path": "/probe"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	series := func(cpu emulator.CPU) (all []measured) {
		f := probeFunction(t, 128, cpu, config)
		if f == nil {
			return nil
		}
		for range scaled(200, 40) {
			r, err := f.Invoke(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, measuredBy(t, r.Payload))
		}
		return all[1:] // the first one reads the certificates
	}
	free, rationed := series(emulator.CPUCounted), series(emulator.CPUShare)
	if free == nil || rationed == nil {
		return
	}
	normal := middleProbe(free, func(m measured) float64 { return m.duration })
	slow, marked, falsely := 0, 0, 0
	for _, m := range rationed {
		if m.duration > 5*normal && m.duration > 0.01 {
			if slow++; m.throttled {
				marked++
			}
		}
	}
	for _, m := range free {
		if m.throttled && m.duration < 3*normal {
			falsely++
		}
	}
	t.Logf("the median probe takes %.1f ms, at 128 MB %.1f ms, of which %.1f ms are waiting; %d of %d that took five times as long are marked; %d of %d without a ration are marked that did not take longer",
		1000*normal, 1000*middleProbe(rationed, func(m measured) float64 { return m.duration }), 1000*middleProbe(rationed, func(m measured) float64 { return m.wait }), marked, slow, falsely, len(free))
	// In the small run beside other tests a probe may also be slow because its server
	// was kept from a processor, which the function can't know, and what has no ration
	// may wait for a processor too, and says so.
	if slow == 0 || marked*100 < slow*scaled(90, 50) {
		t.Errorf("of %d slow probes %d are marked as throttled", slow, marked)
	}
	if full() && falsely > len(free)/10 {
		t.Errorf("%d of %d probes are marked, though they took no longer", falsely, len(free))
	}
}

// measuredBy reads the answer to a request to probe.
func measuredBy(t *testing.T, payload []byte) (m measured) {
	t.Helper()
	var answer struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(payload, &answer); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v: %s", err, payload)
	}
	families, err := openmetrics.Parse("text/plain; version=0.0.4", []byte(answer.Body), openmetrics.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch v := f.Metrics[0].Value; f.Name {
		case "probe_success":
			if v != 1 {
				t.Fatalf("the probe failed: %s", answer.Body)
			}
		case "probe_duration_seconds":
			m.duration = v
		case "narthex_runner_cpu_wait_seconds":
			m.wait = v
		case "narthex_runner_throttled":
			m.throttled = v == 1
		}
	}
	return m
}

// With the memory that the documentation recommends, a round of 50 targets over
// HTTPS measures what an unrationed one does.
func TestProbeRoundTruth(t *testing.T) {
	page := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(page.Close)
	var mu sync.Mutex
	var durations []measured
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		packed, err := io.ReadAll(r.Body)
		body, err2 := s2.Decode(nil, packed)
		got, err3 := remotewrite.Decode(remotewrite.V1, string(body), remotewrite.Limits{})
		if err := errors.Join(err, err2, err3); err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range got.Series {
			if s.Labels.Get("__name__") == "probe_duration_seconds" && len(s.Samples) > 0 {
				durations = append(durations, measured{duration: s.Samples[0].Value})
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	var config strings.Builder
	fmt.Fprintf(&config, "lambda: {roles: [probe]}\nremote_write: [{url: %q, protobuf_message: prometheus.WriteRequest}]\n", receiver.URL)
	config.WriteString("modules: {http_2xx: {prober: http, http: {tls_config: {insecure_skip_verify: true}}}}\nprobes:\n  guard: {loopback: true}\n  targets:\n")
	for i := range 50 {
		fmt.Fprintf(&config, "    - {name: t%d, target: %q}\n", i, fmt.Sprintf("%s/%d", page.URL, i))
	}
	round := func(cpu emulator.CPU) float64 {
		f := probeFunction(t, 512, cpu, config.String())
		if f == nil {
			return 0
		}
		mu.Lock()
		durations = nil
		mu.Unlock()
		at := time.Now().Truncate(time.Minute)
		for i := range scaled(10, 2) {
			r, err := f.Invoke(t.Context(), fmt.Appendf(nil, `{"narthex":"probe","at":%d}`, at.Add(-time.Duration(i)*time.Minute).UnixMilli()))
			if err != nil || r.FunctionError != "" {
				t.Fatalf("%v: %s", err, r.Payload)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if want := 50 * scaled(10, 2); len(durations) != want {
			t.Fatalf("%d probes are written, want %d", len(durations), want)
		}
		return middleProbe(durations, func(m measured) float64 { return m.duration })
	}
	free, rationed := round(emulator.CPUCounted), round(emulator.CPUShare)
	t.Logf("the median of 50 targets takes %.2f ms, at 512 MB %.2f ms: %.2f times as long", 1000*free, 1000*rationed, rationed/free)
	figure(t, "rationed/free", rationed/free)
	if full() && free > 0 && rationed > 1.2*free {
		t.Errorf("at 512 MB a round measures %.2f times what an unrationed one does", rationed/free)
	}
}
