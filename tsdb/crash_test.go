package tsdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/tsdb"
)

// A test starts its own binary with this variable set to play one of the roles.
const roleVariable = "NARTHEX_TSDB_TEST_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "killed":
		err = playKilled(os.Args[1])
	case "full":
		err = playFull(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, dir)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd
}

// playKilled writes, tells each sample that was acknowledged and waits for more
// until it is killed.
func playKilled(dir string) error {
	db, err := tsdb.Open(dir, options(time.Hour))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		at := float64(i) // in order, and late every other time
		if i%2 == 1 {
			at = -at
		}
		b := &narthex.Batch{Series: []narthex.Series{floats(name("m"), at, float64(i))}}
		if err := db.Write(context.Background(), b); err != nil || b.Rejected != nil {
			return fmt.Errorf("write %d: %v, refused %v", i, err, b.Rejected)
		}
		fmt.Println(int64(at), i)
	}
}

func TestKilledPredecessor(t *testing.T) {
	dir := t.TempDir()
	want := map[int64]float64{}
	for round := range 3 {
		cmd := play(t, "killed", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 200*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			var at int64
			var v float64
			if _, err := fmt.Sscan(lines.Text(), &at, &v); err == nil {
				want[at] = v
			}
		}
		_ = cmd.Wait() // it was killed
		if len(want) < 200 {
			t.Fatalf("the other process stored %d samples", len(want))
		}
	}
	got := map[int64]float64{}
	for _, p := range stored(t, open(t, dir, options(time.Hour)))[`{__name__="m"}`] {
		got[p.T] = p.V
	}
	for at, v := range want {
		if have, ok := got[at]; !ok || have != v {
			t.Errorf("at %d there is %v, %v was acknowledged", at, have, v)
		}
	}
}

// playFull writes while the file system has no room, as a limit on the size of
// files shows it, and again once there is room.
func playFull(dir string) error {
	db, err := tsdb.Open(dir, options(time.Hour))
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	small := syscall.Rlimit{Cur: 200_000, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	batch := func(i int) *narthex.Batch {
		b := &narthex.Batch{Series: []narthex.Series{{Labels: narthex.Labels{{Name: "broken", Value: "no name"}}, Samples: []narthex.Sample{{Time: 1}}}}}
		for k := range 100 {
			b.Series = append(b.Series, floats(name("m", "i", fmt.Sprint(i), "k", fmt.Sprint(k), "pad", strings.Repeat("x", 50)), float64(i), math.Pi*float64(k)))
		}
		return b
	}
	full := -1
	for i := 0; i < 1000 && full < 0; i++ {
		b := batch(i)
		err := db.Write(context.Background(), b)
		switch {
		case err == nil:
			fmt.Println("stored", i)
		case narthex.KindOf(err) != narthex.Unavailable || b.Rejected != nil:
			return fmt.Errorf("a full disk gives %v, refused %v", err, b.Rejected)
		default:
			fmt.Fprintln(os.Stderr, err)
			full = i
		}
	}
	if full < 0 {
		return errors.New("the disk never got full")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := db.Write(context.Background(), batch(full+1)); err != nil {
		return fmt.Errorf("after room was made: %w", err)
	}
	fmt.Println("stored", full+1)
	return db.Close()
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	cmd := play(t, "full", dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if !strings.Contains(stderr.String(), "nothing was stored, try again") {
		t.Errorf("the error is %s", stderr.String())
	}
	want := map[string]int{}
	for line := range strings.Lines(string(out)) {
		var i int
		if _, err := fmt.Sscanf(line, "stored %d", &i); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want[fmt.Sprint(i)] = 100
	}
	got := map[string]int{}
	for ls := range stored(t, open(t, dir, options(time.Hour))) {
		_, rest, _ := strings.Cut(ls, `i="`)
		i, _, _ := strings.Cut(rest, `"`)
		got[i]++
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("series by batch, acknowledged and stored: %s", d)
	}
}
