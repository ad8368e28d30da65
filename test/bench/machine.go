package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Machine is where something was measured.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	GiB    float64 `json:"memory_gib"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Sync   float64 `json:"fsync_ms"` // of 4 KiB behind a file, median
}

// String is the machine without what may differ from day to day.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s GiB, %s, %s", m.CPU, m.Cores, number(m.GiB), m.Kernel, m.Go)
}

func thisMachine() Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Kernel: runtime.GOOS, Go: runtime.Version(), Sync: syncTime()}
	if v := field("/proc/cpuinfo", "model name"); v != "" {
		m.CPU = v
	}
	if kib, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		m.GiB = kib / (1 << 20)
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = "Linux " + strings.TrimSpace(string(text))
	}
	return m
}

// field returns a value of a file of lines "name: value", or "".
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// syncTime is how long the disk takes to have something, in milliseconds.
func syncTime() float64 {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0
	}
	defer f.Close()
	var took []float64
	for range 50 {
		start := time.Now()
		if _, err := f.Write(make([]byte, 4<<10)); err != nil || f.Sync() != nil {
			return 0
		}
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	return spreadOf(took).median
}

// busy is how many of the machine's processors others use, over a second; -1 where
// the system does not tell.
//
// Source: proc(5), /proc/stat.
func busy(ctx context.Context) float64 {
	before, idle, ok := processors()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	all, idleThen, _ := processors()
	if !ok || all == before {
		return -1
	}
	return (1 - (idleThen-idle)/(all-before)) * float64(runtime.NumCPU())
}

// processors returns the time of all processors since the start, and how much of it
// they had nothing to do.
func processors() (all, idle float64, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(line) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			continue // the first is the line's name
		}
		if all += v; i == 4 || i == 5 { // idle, and waiting for the disk
			idle += v
		}
	}
	return all, idle, true
}

// commit names what is measured: the commit that is checked out, and whether
// there is more. What this program writes does not count.
func commit(ctx context.Context, root string) string {
	head := output(ctx, root, "git", "rev-parse", "--short=12", "HEAD")
	if head == "" {
		return "unknown"
	}
	if output(ctx, root, "git", "status", "--porcelain", "--", ".", ":!docs/benchmarks.md", ":!docs/benchmarks.json") != "" {
		return head + " with changes"
	}
	return head
}
