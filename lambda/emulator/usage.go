package emulator

import "time"

// used is what an instance has used since it was started.
type used struct {
	cpu       time.Duration
	throttled time.Duration
	memory    int64 // the most that was resident, in bytes
}

// usage returns what the system tells of an instance that lives.
func (i *Instance) usage() (u used) {
	if i.group != nil {
		u, _ = i.group.usage() // as far as it is told
	}
	i.mu.Lock()
	list := i.processes
	i.mu.Unlock()
	u.memory = 0 // a group counts the page cache too, which is shared
	for _, p := range list {
		u.memory += residentPeak(p.pid())
		if i.group == nil {
			u.cpu += processorTime(p.pid())
		}
	}
	return u
}

// tryGroup finds out whether this machine can ration.
func (f *Function) tryGroup() error {
	g, err := newGroup("try-" + randomHex(4))
	if err != nil {
		return err
	}
	defer g.remove()
	return g.limit(0.5, int64(f.o.Memory)<<20)
}
