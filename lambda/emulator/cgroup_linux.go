package emulator

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// period is that of the processor's ration. Source: measured on Lambda by the
// authors of pwrdrvr/lambda-throttling; a longer one would hide the throttling of
// short work.
const period = 20 * time.Millisecond

// group is a control group, of version 2 or of version 1, where each controller
// has a hierarchy of its own.
type group struct {
	unified string            // directory of version 2, or ""
	dirs    map[string]string // by controller: cpu, cpuacct, memory
	home    map[string]string // file tasks of the group to return to, version 1
}

// newGroup makes a control group. The error says why there can be none.
func newGroup(name string) (*group, error) {
	name = fmt.Sprintf("narthex-%d-%s", os.Getpid(), name)
	m, err := readMounts()
	if err != nil {
		return nil, err
	}
	if m.v1["cpu"] != "" {
		return newGroup1(m, name)
	}
	return newGroup2(m, name)
}

// mounts says where the hierarchies are and which group this process is in.
type mounts struct {
	v1  map[string]string // by controller
	v2  string
	own map[string]string // path of the own group by controller, "" of version 2
}

func readMounts() (*mounts, error) {
	m := &mounts{v1: make(map[string]string), own: make(map[string]string)}
	mounted, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, noGroup(err)
	}
	for line := range strings.Lines(string(mounted)) {
		m.mount(line)
	}
	own, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return nil, noGroup(err)
	}
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 {
			for _, controller := range strings.Split(parts[1], ",") {
				m.own[controller] = parts[2]
			}
		}
	}
	return m, nil
}

// mount takes a line of mountinfo. Source: proc_pid_mountinfo(5).
func (m *mounts) mount(line string) {
	before, after, ok := strings.Cut(line, " - ")
	fields, kind := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 5 || len(kind) < 3 {
		return
	}
	switch kind[0] {
	case "cgroup2":
		m.v2 = fields[4]
	case "cgroup":
		for _, option := range strings.Split(kind[2], ",") {
			m.v1[option] = fields[4]
		}
	}
}

func noGroup(err error) error {
	return fmt.Errorf("the processor and the memory can't be rationed here, because no control group can be made (it needs root, or a group that is delegated to this user): %w", err)
}

// newGroup1 makes one of version 1.
func newGroup1(m *mounts, name string) (*group, error) {
	g := &group{dirs: make(map[string]string), home: make(map[string]string)}
	for _, controller := range []string{"cpu", "cpuacct", "memory"} {
		at := m.v1[controller]
		if at == "" {
			continue
		}
		dir := filepath.Join(at, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			g.remove()
			return nil, noGroup(err)
		}
		g.dirs[controller] = dir
		g.home[controller] = filepath.Join(at, m.own[controller], "tasks")
		if _, err := os.Stat(g.home[controller]); err != nil { // within a container
			g.home[controller] = filepath.Join(at, "tasks")
		}
	}
	return g, nil
}

// newGroup2 makes one of version 2, below the own group, its parent, or the root:
// a group that has processes may not ration those below it.
func newGroup2(m *mounts, name string) (*group, error) {
	if m.v2 == "" {
		return nil, noGroup(errors.New("none is mounted"))
	}
	own := filepath.Join(m.v2, m.own[""])
	var first error
	for _, parent := range []string{own, filepath.Dir(own), m.v2} {
		g, err := newGroupIn(parent, name)
		if err == nil {
			return g, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, noGroup(first)
}

func newGroupIn(parent, name string) (*group, error) {
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	g := &group{unified: dir, dirs: map[string]string{"cpu": dir, "cpuacct": dir, "memory": dir}}
	has := func() bool {
		_, err := os.Stat(filepath.Join(dir, "cpu.max"))
		_, merr := os.Stat(filepath.Join(dir, "memory.max"))
		return err == nil && merr == nil
	}
	if has() {
		return g, nil
	}
	err := write(parent, "cgroup.subtree_control", "+cpu +memory")
	if err == nil && !has() {
		err = fmt.Errorf("%s rations neither processor nor memory", parent)
	}
	if err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

func write(dir, file, text string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(text), 0)
}

// limit sets the share of a processor (0 is no limit) and the memory in bytes (0
// is no limit).
func (g *group) limit(share float64, memory int64) error {
	micros := period.Microseconds()
	quota := int64(share * float64(micros))
	var err error
	switch {
	case g.unified != "":
		text := "max"
		if share > 0 {
			text = strconv.FormatInt(quota, 10)
		}
		err = write(g.unified, "cpu.max", fmt.Sprint(text, " ", micros))
		if err == nil && memory > 0 {
			err = write(g.unified, "memory.max", strconv.FormatInt(memory, 10))
		}
	default:
		if share <= 0 {
			quota = -1
		}
		err = write(g.dirs["cpu"], "cpu.cfs_period_us", strconv.FormatInt(micros, 10))
		if err == nil {
			err = write(g.dirs["cpu"], "cpu.cfs_quota_us", strconv.FormatInt(quota, 10))
		}
		if err == nil && memory > 0 {
			err = write(g.dirs["memory"], "memory.limit_in_bytes", strconv.FormatInt(memory, 10))
		}
	}
	if err != nil {
		return noGroup(err)
	}
	return nil
}

// enter has what the calling thread starts be born in the group. The goroutine
// must be locked to its thread until it has left.
func (g *group) enter(attr *syscall.SysProcAttr) (leave func(), err error) {
	if g.unified != "" {
		dir, err := os.Open(g.unified)
		if err != nil {
			return nil, err
		}
		attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
		return func() { dir.Close() }, nil
	}
	thread := strconv.Itoa(syscall.Gettid())
	leave = func() {
		for controller := range g.dirs {
			_ = write(filepath.Dir(g.home[controller]), "tasks", thread) // it has come from there
		}
	}
	for _, dir := range g.dirs {
		if err := write(dir, "tasks", thread); err != nil {
			leave()
			return nil, noGroup(err)
		}
	}
	return leave, nil
}

// usage returns what the group's processes have used.
func (g *group) usage() (u used, err error) {
	if g.unified != "" {
		stat, err := readStat(filepath.Join(g.unified, "cpu.stat"))
		u.cpu = time.Duration(stat["usage_usec"]) * time.Microsecond
		u.throttled = time.Duration(stat["throttled_usec"]) * time.Microsecond
		return u, err
	}
	stat, err := readStat(filepath.Join(g.dirs["cpu"], "cpu.stat"))
	u.throttled = time.Duration(stat["throttled_time"])
	if text, rerr := os.ReadFile(filepath.Join(g.dirs["cpuacct"], "cpuacct.usage")); rerr == nil {
		n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // the kernel writes a number
		u.cpu = time.Duration(n)
	}
	return u, err
}

// readStat reads a file of names and numbers.
func readStat(path string) (map[string]int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat := make(map[string]int64)
	for in := bufio.NewScanner(f); in.Scan(); {
		if name, value, ok := strings.Cut(in.Text(), " "); ok {
			stat[name], _ = strconv.ParseInt(value, 10, 64) // the kernel writes a number
		}
	}
	return stat, nil
}

// remove removes the group, whose processes have ended.
func (g *group) remove() {
	for _, dir := range g.dirs {
		for range 50 { // the kernel takes a moment to be done with a process
			err := os.Remove(dir)
			if err == nil || errors.Is(err, os.ErrNotExist) || !errors.Is(err, syscall.EBUSY) {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}
