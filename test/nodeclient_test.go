package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"narthex"
)

// nodePackage makes the Node client's package as npm would publish it, once.
var nodePackage = sync.OnceValues(func() (string, error) {
	to, err := builds.Dir()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "pack", "--pack-destination", to)
	cmd.Dir = nodeClient
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm pack in clients/node: %w\n%s", err, out)
	}
	return filepath.Join(to, "narthex-0.1.0.tgz"), nil
})

const nodeClient = "../clients/node"

// nodeProject returns a directory where programs can import the client from its
// package.
func nodeProject(t *testing.T) string {
	t.Helper()
	npmInstall(t, nodeClient)
	tarball, err := nodePackage()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("npm", "install", "--offline", "--no-audit", "--no-fund", tarball)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm install %s: %v\n%s", tarball, err, out)
	}
	return dir
}

// lossy stands between a client and narthex. Of each push it loses the answer
// first, then the request, then answers 503 though the push was taken.
func lossy(t *testing.T, s *server) (url string, tries func() map[string]int) {
	var mu sync.Mutex
	seen := make(map[string]int)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		id := r.Header.Get("Idempotency-Key")
		seen[id]++
		try := seen[id]
		mu.Unlock()
		if try == 2 {
			panic(http.ErrAbortHandler)
		}
		req, err := http.NewRequest(r.Method, s.url()+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		switch try {
		case 1:
			panic(http.ErrAbortHandler)
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}))
	t.Cleanup(ts.Close)
	return ts.URL, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(seen)
	}
}

// nodeProgram pushes a bit of everything, as main(url) of a module in either format.
const nodeProgram = `
async function main(url) {
  const errors = [];
  const client = new Narthex({url, service: 'node', maxBatch: 80, flushInterval: 20, onError: (e) => errors.push(e)});
  const runs = client.counter('nc_runs_total');
  const own = client.histogram('nc_own', {buckets: [0.5, 1, 1e6]});
  const latency = client.histogram('nc_latency_seconds', {buckets: 'api_latency'});
  const native = client.histogram('nc_native', {buckets: 'native'});
  for (let i = 0; i < 100; i++) {
    runs.inc(1 + (i % 3), {n: i % 7});
    own.observe(i / 64);
    latency.observe(0.0025);
    native.observe(i);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.gauge('nc_last').set(7);
  const handler = withNarthex(async (event) => runs.inc(event.n, {n: 'lambda'}), client);
  await handler({n: 5}, {getRemainingTimeInMillis: () => 30000});
  const {pending} = await client.close();

  const series = {labels: {__name__: 'nc_pushed_total'}, samples: [{value: 2}, {value: 3, timestamp: Date.now()}]};
  const results = [
    await pushTimeseries({...series, as: 'delta'}, {url: url + '/api/v1/write', labels: {service: 'node'}}),
    await pushTimeseries([{labels: {__name__: 'nc_shape_total'}, samples: [{value: 4}]}], {url}),
    await pushMetrics({nc_queue: 9}, {url, labels: {kind}}),
  ];
  // A flush whose time ends before all is pushed says so; nothing is lost by that.
  const lost = errors.filter((e) => e.kind !== 'unsent' || e.lost > 0);
  console.log(pending, lost.map(String).join(), results.map((r) => r.status + (r.errorMessage ?? '')).join());
  await pushMetrics({nc_once: 1}, {url, retryFor: 0}).catch((err) => console.log(err.message));
}
main(process.argv[2]);
`

// Programs in both module formats push through the lossy proxy at the same
// time. All pushes are tried four times, and count once.
func TestNodeClientCountsOnce(t *testing.T) {
	t.Parallel()
	dir := nodeProject(t)
	for name, head := range map[string]string{
		"esm.mjs": "import {Narthex, pushMetrics, pushTimeseries, withNarthex} from 'narthex';\nconst kind = 'esm';\n",
		"cjs.cjs": "const {Narthex, pushMetrics, pushTimeseries, withNarthex} = require('narthex');\nconst kind = 'cjs';\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(head+nodeProgram), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newServer(t, "scrape_interval: 1s\npush: {preset: article}\n")
	url, tries := lossy(t, s)
	var wg sync.WaitGroup
	for _, name := range []string{"esm.mjs", "cjs.cjs"} {
		wg.Go(func() {
			cmd := exec.Command("node", name, url)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if err != nil || len(lines) != 2 || lines[0] != "0  200,200,200" || lines[1] != "fetch failed" {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		})
	}
	wg.Wait()
	pushes := 0
	for id, n := range tries() {
		if n == 4 {
			pushes++
		} else if n != 1 { // the one that was to be tried once
			t.Errorf("the push %s was tried %d times", id, n)
		}
	}
	if pushes < 2*5 {
		t.Errorf("there were %d pushes, too few to tell anything", pushes)
	}
	for expr, want := range map[string]string{
		`sum(nc_runs_total{service="node"})`:                      "408",
		`nc_runs_total{n="3"}`:                                    "54",
		`nc_runs_total{n="lambda"}`:                               "10",
		`nc_own_bucket{le="0.5"}`:                                 "66",
		`nc_own_bucket{le="1.0"}`:                                 "130",
		`nc_own_bucket{le="1e+06"}`:                               "200",
		`nc_own_bucket{le="+Inf"} == on() nc_own_count`:           "200",
		`nc_own_sum`:                                              "154.6875",
		`nc_latency_seconds_bucket{le="0.003"}`:                   "200",
		`nc_latency_seconds_bucket{le="0.002"}`:                   "0",
		`histogram_count(nc_native{service="node"})`:              "200",
		`histogram_sum(nc_native)`:                                "9900",
		`nc_last`:                                                 "7",
		`nc_pushed_total{service="node"}`:                         "10",
		`nc_shape_total`:                                          "8",
		`sum(nc_queue{kind=~"esm|cjs"})`:                          "18",
		`sum(resets({__name__=~"nc_.*_total"}[1h])) or vector(0)`: "0",
	} {
		eventually(t, expr+" is "+want, func() bool { return s.value(expr) == want })
	}
}

// The client writes bounds as narthex does: buckets of the two are the same
// series.
func TestNodeClientBounds(t *testing.T) {
	t.Parallel()
	bounds := []float64{0, 1, 0.5, 1e5, 1e6, 999999, 1234567, 0.0001, 0.00001, 0.00012345, 1e20, 1e21, 1e-300, 1e300, -2.5, -1e6, math.MaxFloat64, math.SmallestNonzeroFloat64}
	for range 2000 {
		bounds = append(bounds, rand.NormFloat64()*math.Pow(10, float64(rand.IntN(40)-20)), float64(rand.IntN(1e7)), float64(rand.IntN(1e4))/1000)
	}
	in, err := json.Marshal(bounds)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--input-type=module", "-e", `
import {formatBound} from './node_modules/narthex/dist/esm/bounds.js';
let text = '';
for await (const chunk of process.stdin) text += chunk;
console.log(JSON.stringify([...JSON.parse(text), Infinity].map(formatBound)));`)
	cmd.Dir, cmd.Stdin = nodeProject(t), bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i, v := range append(bounds, math.Inf(1)) {
		if want := narthex.FormatBound(v); got[i] != want {
			t.Errorf("%v is written %s, want %s", v, got[i], want)
		}
	}
}
