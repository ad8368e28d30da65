package emulator

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// spawner starts processes from one thread, for two reasons: a process that is
// to die with its parent dies with the thread that started it, and one is put
// into a control group of version 1 by way of that thread.
type spawner struct {
	jobs chan spawn
}

type spawn struct {
	cmd   *exec.Cmd
	group *group
	err   chan error
}

func newSpawner() (*spawner, error) {
	s := &spawner{jobs: make(chan spawn)}
	go func() {
		runtime.LockOSThread() // and it ends with this goroutine
		for j := range s.jobs {
			j.err <- startIn(j.cmd, j.group)
		}
	}()
	return s, nil
}

func (s *spawner) start(cmd *exec.Cmd, g *group) error {
	j := spawn{cmd, g, make(chan error, 1)}
	s.jobs <- j
	return <-j.err
}

// close ends the thread, and with it what it has started.
func (s *spawner) close() { close(s.jobs) }

func startIn(cmd *exec.Cmd, g *group) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if g == nil {
		return cmd.Start()
	}
	leave, err := g.enter(cmd.SysProcAttr)
	if err != nil {
		return err
	}
	defer leave()
	return cmd.Start()
}

// residentPeak returns the most that a process, and those that it has started and
// that live, had resident, in bytes.
func residentPeak(pid int) (bytes int64) {
	for _, p := range append(descendants(pid, 0), pid) {
		bytes += statusPeak(p)
	}
	return bytes
}

// statusPeak reads VmHWM; 0 if the process has ended.
func statusPeak(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(text, []byte("VmHWM:"))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

// descendants returns the processes that a process has started, and theirs.
func descendants(pid, depth int) (list []int) {
	const deepest = 8
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || depth == deepest {
		return nil
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue // the thread has ended, or the kernel does not tell
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				list = append(list, child)
				list = append(list, descendants(child, depth+1)...)
			}
		}
	}
	return list
}

// processorTime returns the processor time of a process, 0 if it has ended. It
// reads the process's own clock, which counts in nanoseconds where /proc counts
// in hundredths.
func processorTime(pid int) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED, of a whole process
	clock := uintptr(^pid<<3 | scheduler)
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return time.Duration(ts.Nano())
}
