//go:build linux

package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"narthex/internal/narthextest"
)

// program is a narthex serve with its data on a disk, behind a hop.
type program struct {
	*narthextest.Server
	r       *run
	dir     string
	client  *http.Client
	pushTo  string // where senders push; the hop's address if there is one
	mu      sync.Mutex
	stopped *time.Timer // of SIGSTOP
}

func newProgram(r *run) world {
	p := prepareProgram(r)
	p.mustStart()
	return p
}

// prepareProgram does all but start it.
func prepareProgram(r *run) *program {
	dir := r.TempDir()
	p := &program{r: r, dir: dir, Server: &narthextest.Server{
		Binary: built(r, "narthex", "narthex/cmd/narthex"), Config: filepath.Join(dir, "narthex.yml"),
		Data: filepath.Join(dir, "data"), Address: freeAddress(r),
	}}
	p.client = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 20}}
	p.pushTo = p.URL()
	p.write("narthex.yml", r.Config)
	r.Cleanup(func() {
		p.kill()
		if r.Failed() {
			r.Logf("narthex said at the end:\n%s", p.Log.Tail())
		}
	})
	return p
}

func freeAddress(r *run) string {
	address, err := ports.Address()
	if err != nil {
		r.Fatal(err)
	}
	return address
}

// write writes a file beside the data.
func (p *program) write(name, text string) {
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.r.Fatal(err)
	}
}

func (p *program) mustStart() {
	if err := p.Start(); err != nil {
		p.r.broken("%v\n%s", err, p.Log.Tail())
		p.r.FailNow()
	}
}

// kill sends SIGKILL and waits for the end.
func (p *program) kill() { p.end(syscall.SIGKILL) }

// end sends a signal and waits for the end.
func (p *program) end(s syscall.Signal) {
	p.resume()
	p.End(s)
}

// resume ends a SIGSTOP.
func (p *program) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped != nil {
		p.stopped.Stop()
		p.stopped = nil
	}
	if process := p.Process(); process != nil {
		process.Signal(syscall.SIGCONT)
	}
}

// freeze sends SIGSTOP, and SIGCONT after a while.
func (p *program) freeze(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if process := p.Process(); process != nil {
		process.Signal(syscall.SIGSTOP)
		p.stopped = time.AfterFunc(d, p.resume)
	}
}

func (p *program) actions() map[string]func(r *run) {
	return map[string]func(r *run){
		"kill":    func(*run) { p.kill(); p.mustStart() },
		"restart": func(*run) { p.end(syscall.SIGTERM); p.mustStart() },
		"freeze":  func(r *run) { p.freeze(time.Duration(20+r.r.IntN(1500)) * time.Millisecond) },
	}
}

func (p *program) now() time.Time { return time.Now() }

// heal returns when the program is ready.
func (p *program) heal(r *run) {
	p.resume()
	p.awaitReady()
}

func (p *program) awaitReady() {
	var last error
	for end := time.Now().Add(arrival); time.Now().Before(end); pause(20 * time.Millisecond) {
		resp, err := p.client.Get(p.URL() + "/-/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			err = errors.New(resp.Status)
		}
		last = err
	}
	p.r.broken("the program is not ready although nothing is broken any more: %v", last)
}

func (p *program) deliver(ctx context.Context, e *entry) answer {
	return post(ctx, p.client, p.pushTo, e)
}

// post pushes an entry to a narthex.
func post(ctx context.Context, c *http.Client, base string, e *entry) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/push", strings.NewReader(e.body))
	if err != nil {
		return answer{cause: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", e.id)
	resp, err := c.Do(req)
	if err != nil {
		return answer{cause: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return answer{cause: err}
	}
	return answer{code: resp.StatusCode, body: body, ours: resp.Header.Get(onTheWay) == ""}
}

func (p *program) stores() []store {
	return []store{{name: "the embedded store", query: queryAt(p.client, p.URL())}}
}

// queryAt asks the Prometheus API at an address.
func queryAt(c *http.Client, base string) func(expr string, at time.Time) ([]result, error) {
	return func(expr string, at time.Time) ([]result, error) {
		resp, err := c.PostForm(base+"/api/v1/query", url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}})
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		var said struct {
			Status, Error string
			Data          struct{ Result []result }
		}
		if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
			return nil, fmt.Errorf("%s: %w", resp.Status, err)
		}
		if said.Status != "success" {
			return nil, errors.New(said.Error)
		}
		return said.Data.Result, nil
	}
}

// bounds reads what the process uses.
func (p *program) bounds(r *run) {
	resp, err := p.client.Get(p.URL() + "/metrics")
	if err != nil {
		return
	}
	defer resp.Body.Close()
	limits := map[string]float64{
		"go_goroutines": float64(r.Set.Goroutines), "process_open_fds": float64(r.Set.Files),
		"process_resident_memory_bytes": float64(r.Set.Megabytes) * (1 << 20),
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		limit, ok := limits[name]
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || n > limit {
			r.broken("%s is %s, want at most %.0f", name, value, limit)
		}
		r.peak[name] = max(r.peak[name], n)
		delete(limits, name)
	}
	if len(limits) > 0 {
		r.broken("/metrics lacks %v", limits)
	}
}

// onTheWay is a header of answers that something between sender and program made.
const onTheWay = "X-Chaos"

// builds are the programs under test, ports the addresses for them and others.
var (
	builds narthextest.Builds
	ports  narthextest.Ports
)

// built builds a program.
func built(r *run, name, path string, flags ...string) string {
	file, err := builds.Program(name, path, flags...)
	if err != nil {
		r.Fatal(err)
	}
	return file
}
