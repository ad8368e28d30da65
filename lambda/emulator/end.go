package emulator

import (
	"os"
	"syscall"
	"time"
)

// How long processes may take to end. Source: "Understanding the Lambda execution
// environment lifecycle", shutdown phase: nothing without extensions, 500 ms with
// internal ones, 2 s with external ones, of which the runtime has 300 ms.
const (
	graceInternal = 500 * time.Millisecond
	graceRuntime  = 300 * time.Millisecond
	graceExternal = 2 * time.Second
)

// end ends an instance, once. The reason is spindown, timeout or failure; only a
// spindown gives the runtime time, but extensions have theirs in any case.
func (i *Instance) end(reason string) {
	i.once.Do(func() {
		if i.idle != nil {
			i.idle.Stop()
		}
		i.change(func() { i.ending = true })
		i.shutDown(reason)
		i.signal(syscall.SIGKILL)
		i.mu.Lock()
		list := i.processes
		i.mu.Unlock()
		for _, p := range list {
			<-p.done
		}
		i.telemetry.close()
		i.discard()
		i.f.forget(i)
	})
}

// discard gives back what an instance without processes has.
func (i *Instance) discard() {
	i.server.Close()
	if i.group != nil {
		i.group.remove()
	}
	os.RemoveAll(i.dir) // what is left is removed with the function
}

// shutDown is what processes may do before they are killed.
func (i *Instance) shutDown(reason string) {
	var external, shutdown []*agent
	i.mu.Lock()
	all := len(i.extensions)
	for _, e := range i.extensions {
		if e.process == nil {
			continue
		}
		external = append(external, e)
		if e.events["SHUTDOWN"] {
			shutdown = append(shutdown, e)
		}
	}
	runtime := i.runtime.process
	i.mu.Unlock()
	begin := time.Now()
	if all > 0 {
		i.thaw()
		i.telemetry.hurry()
	}
	if runtime != nil {
		grace := time.Duration(0)
		switch {
		case reason != "spindown" || all == 0:
		case len(external) > 0:
			grace = graceRuntime
		default:
			grace = graceInternal
		}
		if grace > 0 {
			runtime.signal(syscall.SIGTERM)
		}
		await(runtime, grace)
		runtime.signal(syscall.SIGKILL)
	}
	deadline := begin.Add(graceExternal)
	i.change(func() {
		for _, e := range shutdown {
			e.ready = false
			e.next <- delivery{shutdown: reason, deadline: deadline}
		}
	})
	for _, e := range shutdown {
		await(e.process, time.Until(deadline))
	}
}

// await waits for a process to end, for some time.
func await(p *process, limit time.Duration) {
	select {
	case <-p.done:
		return
	default:
	}
	if limit <= 0 {
		return
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
}

// forget takes an instance that has ended off the list.
func (f *Function) forget(i *Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live, i)
	f.ended.Done()
	f.notify()
}
