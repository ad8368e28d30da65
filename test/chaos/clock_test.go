//go:build linux

package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// clock is a program whose clock is moved. It is the real one, built with the
// clock that app.Options has a place for; the sources stay as they are, for the go
// tool lays others over them.
type clock struct {
	*program
	ahead   time.Duration // of the machine's clock
	highest time.Duration // that it ever was
}

// clockSource is added to the program.
const clockSource = `package main

import (
	"os"
	"strconv"
	"time"
)

// chaosNow is the machine's time and what a file says.
func chaosNow() time.Time {
	text, _ := os.ReadFile(os.Getenv("CHAOS_CLOCK"))
	ms, _ := strconv.ParseInt(string(text), 10, 64)
	return time.Now().Add(time.Duration(ms) * time.Millisecond)
}
`

func newClock(r *run) world {
	c := &clock{program: prepareProgram(r)}
	c.Binary = withClock(r, "narthex", "serve.go", []string{"app.Options{Config: c,", "tsdb.Options{\n"})
	c.Env = []string{"CHAOS_CLOCK=" + filepath.Join(c.dir, "clock")}
	c.move(0)
	c.mustStart()
	return c
}

// withClock builds cmd/name with the clock in each of the options that a file
// gives, which stand there once, and the clock's source beside it.
func withClock(r *run, name, file string, options []string, flags ...string) string {
	source, err := filepath.Abs(filepath.Join("..", "..", "cmd", name))
	if err != nil {
		r.Fatal(err)
	}
	original, err := os.ReadFile(filepath.Join(source, file))
	if err != nil {
		r.Fatal(err)
	}
	text := string(original)
	for _, o := range options {
		if strings.Count(text, o) != 1 {
			r.Fatalf("cmd/%s/%s has no single %q to put the clock into", name, file, o)
		}
		begin, rest, _ := strings.Cut(o, "{")
		text = strings.Replace(text, o, begin+"{Now: chaosNow, "+rest, 1)
	}
	dir := r.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			r.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(source, file):            write(file, text),
		filepath.Join(source, "chaosclock.go"): write("chaosclock.go", clockSource),
	}})
	if err != nil {
		r.Fatal(err)
	}
	return built(r, name+"-clock", "narthex/cmd/"+name, append(flags, "-overlay", write("overlay.json", string(overlay)))...)
}

// move sets the clock. The file is replaced, so that nobody reads half of it.
func (c *clock) move(to time.Duration) {
	c.write("clock.new", fmt.Sprint(to.Milliseconds()))
	if err := os.Rename(filepath.Join(c.dir, "clock.new"), filepath.Join(c.dir, "clock")); err != nil {
		c.r.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.highest = to, max(c.highest, to)
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) actions() map[string]func(r *run) {
	all := c.program.actions()
	maps.Copy(all, map[string]func(r *run){
		"forward": func(r *run) { c.move(c.ahead + leap(r)) },
		"back":    func(r *run) { c.move(c.ahead - leap(r)) },
		"future":  c.future,
	})
	return all
}

// leap is seconds or, less often, up to two hours.
func leap(r *run) time.Duration {
	d := time.Duration(r.r.IntN(5000)) * time.Millisecond
	if r.r.IntN(3) == 0 {
		d = time.Duration(r.r.IntN(7200)) * time.Second
	}
	return d
}

// future pushes a sample from a client whose clock is ahead by up to a year: it is
// brought back to now, and hurts no other.
func (c *clock) future(r *run) {
	e := r.make.next(r.r.IntN(r.Set.Senders), c.now())
	e.late = true
	ahead := c.now().Add(time.Duration(1+r.r.IntN(365*24)) * time.Hour)
	e.body = strings.TrimSuffix(e.body, "}") + fmt.Sprintf(`,"series":[{"labels":{"__name__":"chaos_future","n":"%d"},"as":"sample","samples":[{"value":1,"timestamp":%d}]}]}`,
		r.make.n, ahead.UnixMilli())
	r.enqueue(e)
}

// heal sets the clock to where it has been already, so that ticks are written
// again.
func (c *clock) heal(r *run) {
	c.mu.Lock()
	highest := c.highest
	c.mu.Unlock()
	c.move(highest)
	c.program.heal(r)
}

// bounds checks that nothing was written ahead of the highest clock there was.
func (c *clock) bounds(r *run) {
	c.program.bounds(r)
	const far = 400 * 24 * time.Hour
	for _, s := range c.stores() {
		for _, name := range append([]string{"chaos_gauge", "chaos_future"}, counters...) {
			now := c.now()
			list, err := s.query(fmt.Sprintf("count_over_time(%s[%ds])", name, int((far-2*time.Second).Seconds())), now.Add(far))
			if err != nil || len(list) > 0 {
				r.broken("%s has samples of %s ahead of now, %v: %v %v", s.name, name, now, list, err)
			}
		}
	}
}
