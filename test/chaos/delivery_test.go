//go:build linux

package chaos

import (
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"narthex/internal/narthextest"
)

// delivery is a program between two hops: its senders are before the first, a
// Prometheus behind the second.
type delivery struct {
	*program
	in, out  *hop
	receiver *receiver
}

func newDelivery(r *run) world {
	d := &delivery{receiver: newReceiver(r)}
	d.out = newHop(r, d.receiver.base, 2)
	r.Config = strings.ReplaceAll(r.Config, "RECEIVER", d.out.url)
	d.program = prepareProgram(r)
	d.mustStart()
	d.in = newHop(r, d.URL(), 1)
	d.pushTo = d.in.url
	return d
}

func (d *delivery) actions() map[string]func(r *run) {
	all := d.program.actions()
	maps.Copy(all, map[string]func(r *run){
		"spoil": func(r *run) {
			h := []*hop{d.in, d.out}[r.r.IntN(2)]
			h.spoil(0.2+0.8*r.r.Float64(), r.Set.Faults[r.r.IntN(len(r.Set.Faults))], r.Set.Faults[r.r.IntN(len(r.Set.Faults))])
		},
		"mend":            func(r *run) { []*hop{d.in, d.out}[r.r.IntN(2)].spoil(0) },
		"kill_receiver":   func(*run) { d.receiver.kill(); d.receiver.start() },
		"freeze_receiver": func(r *run) { d.receiver.freeze(time.Duration(20+r.r.IntN(1500)) * time.Millisecond) },
	})
	return all
}

func (d *delivery) heal(r *run) {
	d.in.spoil(0)
	d.out.spoil(0)
	d.receiver.resume()
	d.program.heal(r)
}

func (d *delivery) stores() []store {
	return append(d.program.stores(), store{name: "Prometheus", query: queryAt(d.client, d.receiver.base), plain: true})
}

// receiver is a Prometheus that takes remote write.
type receiver struct {
	r    *run
	base string
	dir  string
	cmd  *exec.Cmd
	log  narthextest.Log
}

func newReceiver(r *run) *receiver {
	x := &receiver{r: r, base: "http://" + freeAddress(r), dir: r.TempDir()}
	x.start()
	r.Cleanup(func() {
		x.kill()
		if r.Failed() {
			r.Logf("Prometheus said at the end:\n%s", x.log.Tail())
		}
	})
	return x
}

// start returns once it is ready.
func (x *receiver) start() {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		x.r.Fatal("this test needs prometheus: apt-get install prometheus")
	}
	x.cmd = exec.Command(path, "--config.file=/dev/null", "--storage.tsdb.path="+filepath.Join(x.dir, "data"),
		"--web.listen-address="+strings.TrimPrefix(x.base, "http://"), "--web.enable-remote-write-receiver", "--log.level=warn")
	x.cmd.Stderr = &x.log
	if err := x.cmd.Start(); err != nil {
		x.r.Fatal(err)
	}
	for end := time.Now().Add(arrival); time.Now().Before(end); pause(20 * time.Millisecond) {
		if resp, err := http.Get(x.base + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	x.r.Fatalf("Prometheus is not ready:\n%s", x.log.Tail())
}

func (x *receiver) kill() {
	x.cmd.Process.Kill()
	x.cmd.Wait()
}

func (x *receiver) freeze(d time.Duration) {
	process := x.cmd.Process
	process.Signal(syscall.SIGSTOP)
	time.AfterFunc(d, func() { process.Signal(syscall.SIGCONT) })
}

func (x *receiver) resume() { x.cmd.Process.Signal(syscall.SIGCONT) }
