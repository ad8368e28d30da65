package logs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"narthex/logs"
	"narthex/state"
)

// follower is a follower of dir that may be started anew.
type follower struct {
	t    *testing.T
	o    logs.FollowOptions
	sink *ledger
	keep state.Store
	now  time.Time
	f    *logs.Follower
}

func follow(t *testing.T, from string) *follower {
	x := &follower{t: t, o: logs.FollowOptions{From: from}, sink: newLedger(), keep: new(state.Memory)}
	x.start()
	return x
}

func (x *follower) start() {
	x.t.Helper()
	s := source(x.t, x.sink, x.keep, func(o *logs.Options) {
		if !x.now.IsZero() {
			o.Now = func() time.Time { return x.now }
		}
	})
	var err error
	if x.f, err = logs.NewFollower(x.t.Context(), s, x.o); err != nil {
		x.t.Fatal(err)
	}
}

// poll reads what is there and wants so many requests to be counted.
func (x *follower) poll(want int) {
	x.t.Helper()
	if err := x.f.Poll(x.t.Context()); err != nil {
		x.t.Error(err)
	}
	if n := x.sink.requests(); n != want {
		x.t.Fatalf("%d requests, want %d", n, want)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// compress does what gzip does.
func compress(t testing.TB, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".gz", string(gzipped(string(text))))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestFollowAppended(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	write(t, log, lines(0, 10))
	x := follow(t, log)
	x.poll(10)
	x.poll(10)
	appendTo(t, log, lines(10, 5))
	x.poll(15)
	half := lines(15, 1)
	appendTo(t, log, half[:20]) // not yet a line
	x.poll(15)
	x.start()
	appendTo(t, log, half[20:]+lines(16, 4))
	x.poll(20)
}

// What logrotate does with rename, delayed compression and compression at once.
func TestFollowRotated(t *testing.T) {
	for _, long := range []int{2, 100} { // shorter and longer than what tells logs apart
		dir := t.TempDir()
		log := filepath.Join(dir, "access.log")
		n := 0
		more := func(path string) {
			appendTo(t, path, lines(n, long))
			n += long
		}
		more(log)
		x := follow(t, log)
		x.poll(n)
		more(log) // not seen before it is moved
		rename(t, log, log+".1")
		more(log)
		x.poll(n)
		more(log + ".1") // the server has it open still
		x.poll(n)
		x.start()
		more(log)
		rename(t, log+".1", log+".2")
		compress(t, log+".2")
		rename(t, log, log+".1")
		more(log)
		x.poll(n)
		more(log)
		compress(t, log+".1")
		rename(t, log+".2.gz", log+".3.gz")
		rename(t, log+".1.gz", log+".2.gz")
		compress(t, log) // unseen lines in it, compressed at once
		x.start()
		x.poll(n)
		x.poll(n)
	}
}

// logrotate's copytruncate.
func TestFollowCopiedAndCutOff(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	write(t, log, lines(0, 50))
	x := follow(t, log)
	x.poll(50)
	appendTo(t, log, lines(50, 10))
	text, _ := os.ReadFile(log)
	write(t, log+".1", string(text))
	x.poll(60) // both are there
	appendTo(t, log, lines(60, 5))
	text, _ = os.ReadFile(log)
	write(t, log+".1", string(text))
	write(t, log, lines(1000, 3))
	x.poll(68)
	x.poll(68)
}

func TestFollowDirectory(t *testing.T) {
	dir := t.TempDir()
	x := follow(t, dir)
	x.poll(0)
	os.MkdirAll(filepath.Join(dir, "2026", "01"), 0o700)
	whole := gzipped(lines(0, 100))
	first := filepath.Join(dir, "2026", "01", "E1.gz")
	write(t, first, string(whole[:len(whole)/2]))
	x.poll(0) // it is still being written
	write(t, first, string(whole))
	x.poll(100)
	write(t, filepath.Join(dir, "copy.gz"), string(whole))
	x.poll(100) // the same content is the same log
	write(t, filepath.Join(dir, ".hidden.gz"), string(gzipped(lines(1000, 10))))
	write(t, filepath.Join(dir, "two.gz"), string(gzipped(lines(200, 7)))+string(gzipped(lines(207, 3)))) // two members
	x.poll(110)
	x.start()
	x.poll(110)
}

func TestFollowOld(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "access.log")
	write(t, log, lines(0, 10))
	os.Chtimes(log, time.Time{}, time.Now().Add(-25*time.Hour))
	x := follow(t, dir)
	x.poll(0)
	appendTo(t, log, lines(10, 2))
	x.poll(2)
}

// The header of a log is the header of what is appended later too.
func TestFollowHeader(t *testing.T) {
	log := filepath.Join(t.TempDir(), "w3c.log")
	header := "#Version: 1.0\n#Fields: date time sc-status cs-method cs-uri-stem time-taken\n"
	line := "2026-01-02\t03:04:05\t200\tGET\t/a\t0.010\n"
	write(t, log, header+line)
	x := follow(t, log)
	x.poll(1)
	appendTo(t, log, line+line)
	x.poll(3)
	x.start()
	appendTo(t, log, line)
	x.poll(4)
}

// Logs with the same long header are different logs.
func TestFollowSameHeaders(t *testing.T) {
	dir := t.TempDir()
	header := "#Version: 1.0\n#Remark: " + strings.Repeat("long ", 500) + "\n#Fields: date time sc-status cs-method cs-uri-stem time-taken"
	x := follow(t, dir)
	for i := range 10 {
		text := fmt.Sprintf("%s\n2026-01-02\t03:04:05\t200\tGET\t/a/%d\t0.010\n", header, i)
		write(t, filepath.Join(dir, fmt.Sprintf("%d.log", i)), text)
		write(t, filepath.Join(dir, fmt.Sprintf("%d.gz", i)), string(gzipped(text+"2026-01-02\t03:04:06\t200\tGET\t/a\t0.010\n")))
		write(t, filepath.Join(dir, fmt.Sprintf("e%d.log", i)), header+"\n")
	}
	x.poll(30)
	for i := range 10 {
		appendTo(t, filepath.Join(dir, fmt.Sprintf("e%d.log", i)), "2026-01-02\t03:04:06\t200\tGET\t/a\t0.010\n")
	}
	x.poll(40)
	x.start()
	x.poll(40)
}

// A last line without an end counts once nobody goes on with it.
func TestFollowWithoutEnd(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	write(t, log, strings.TrimSuffix(lines(0, 3), "\n"))
	x := follow(t, log)
	x.poll(2)
	x.now = time.Now().Add(2 * time.Minute)
	x.start()
	x.poll(3)
}

// Whatever fails and wherever the process ends, each line is counted once.
func TestFollowCrashes(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		log := filepath.Join(dir, "access.log")
		x := &follower{t: t, o: logs.FollowOptions{From: log, Piece: 700}, sink: newLedger(), keep: &faulty{Store: new(state.Memory), r: r}}
		x.sink.fail = func(string, bool) error {
			if r.IntN(6) == 0 {
				return unavailable()
			}
			return nil
		}
		x.keep.(*faulty).off = true
		x.start()
		n, generation := 0, 0
		for range 60 {
			switch r.IntN(5) {
			case 0, 1:
				k := r.IntN(20)
				appendTo(t, log, lines(n, k))
				n += k
			case 2: // killed and started again
				x.keep.(*faulty).off = true
				x.start()
			case 3:
				if r.IntN(3) == 0 && n > 0 {
					if _, err := os.Stat(log); err == nil {
						generation++
						rename(t, log, fmt.Sprintf("%s.%d", log, generation))
						if r.IntN(2) == 0 {
							compress(t, fmt.Sprintf("%s.%d", log, generation))
						}
					}
				}
			}
			x.keep.(*faulty).off = false
			_ = x.f.Poll(t.Context())
		}
		x.sink.fail, x.keep.(*faulty).off = nil, true
		x.start()
		if err := x.f.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := x.sink.requests(); got != n {
			t.Errorf("seed %d: %d requests, want %d", seed, got, n)
		}
	}
}

// TestLongFile has a file read in pieces, none of which is held at once.
func TestLongFile(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	write(t, log, lines(0, 5000)+strings.Repeat("x", 300_000)+"\n"+lines(5000, 10))
	x := follow(t, log)
	x.o.Piece = 100_000
	x.start()
	x.poll(5010)
}

// faulty is a store whose saves fail now and then, before or after they are done.
type faulty struct {
	state.Store
	r   *rand.Rand
	off bool
}

func (f *faulty) Save(ctx context.Context, key string, prev state.Entry, data []byte) (state.Entry, error) {
	if f.off || f.r.IntN(8) != 0 {
		return f.Store.Save(ctx, key, prev, data)
	}
	if f.r.IntN(2) == 0 {
		f.Store.Save(ctx, key, prev, data)
	}
	return state.Entry{}, errors.New("the disk is full")
}
