package emulator

import (
	"context"
	"slices"
	"time"
)

// How long an event waits for an instance that has answered and is about to ask
// for the next one: before another one is started, and before it is refused
// because there may be no other. On AWS the answer is on its way for about as
// long.
const (
	settle      = 100 * time.Millisecond
	settleLimit = 2 * time.Second
)

// acquire returns an idle instance, or a new one that is not started.
func (f *Function) acquire(ctx context.Context) (*Instance, error) {
	begin := time.Now()
	for {
		f.mu.Lock()
		i, create, err := f.pick(time.Since(begin))
		changed := f.changed
		f.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case create:
			return f.create()
		case i != nil:
			return i, nil
		}
		timer := time.NewTimer(settle)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		timer.Stop()
	}
}

// pick takes the instance that was used last, or says that one is to be created,
// or neither: wait.
func (f *Function) pick(waited time.Duration) (i *Instance, create bool, err error) {
	free := len(f.live)+f.starting < f.o.Concurrency
	switch {
	case f.closed:
		return nil, false, ErrClosed
	case len(f.idle) > 0:
		i = f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if i.idle != nil {
			i.idle.Stop()
		}
		return i, false, nil
	case free && (f.almost == 0 || waited >= settle):
		f.starting++
		return nil, true, nil
	case !free && (f.almost == 0 || waited >= settleLimit):
		return nil, false, ErrThrottled
	}
	return nil, false, nil
}

// create makes the instance that pick has counted.
func (f *Function) create() (*Instance, error) {
	i, err := f.newInstance()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starting--
	if err == nil && f.closed {
		i.discard()
		err = ErrClosed
	}
	if err != nil {
		return nil, err
	}
	f.ended.Add(1)
	f.live[i] = struct{}{}
	return i, nil
}

// replace ends an instance that could not be started, and makes another.
func (f *Function) replace(i *Instance) (*Instance, error) {
	f.mu.Lock()
	f.starting++
	f.mu.Unlock()
	other, err := f.create()
	if err == nil {
		i.end("failure")
	}
	return other, err
}

// finishing counts instances that have answered and are not idle yet.
func (f *Function) finishing(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.almost += n
	f.notify()
}

// quiesce waits, not for long, until what has answered is idle.
func (f *Function) quiesce() {
	for end := time.Now().Add(settleLimit); time.Now().Before(end); {
		f.mu.Lock()
		almost, changed := f.almost, f.changed
		f.mu.Unlock()
		if almost == 0 {
			return
		}
		select {
		case <-changed:
		case <-time.After(time.Until(end)):
		}
	}
}

// notify wakes those who wait for an instance.
func (f *Function) notify() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// release makes an instance idle. It returns false if the instance is to be
// ended instead.
func (f *Function) release(i *Instance) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i.mu.Lock()
	fault := i.fault
	i.mu.Unlock()
	if f.closed || fault != nil {
		return false
	}
	f.almost--
	f.idle = append(f.idle, i)
	if f.o.Idle > 0 {
		i.idle = time.AfterFunc(f.o.Idle, func() {
			if f.take(i) {
				i.end("spindown")
			}
		})
	}
	f.notify()
	return true
}

// take takes an instance out of the idle ones, if it is one.
func (f *Function) take(i *Instance) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := slices.Index(f.idle, i)
	if n < 0 {
		return false
	}
	f.idle = slices.Delete(f.idle, n, n+1)
	return true
}

// drop ends an instance that failed while it was idle.
func (f *Function) drop(i *Instance) {
	if f.take(i) {
		i.end("failure")
	}
}
