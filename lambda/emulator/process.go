package emulator

import (
	"os"
	"os/exec"
	"syscall"
)

// process is one of an instance's, and what it starts.
type process struct {
	name string // of an extension, "" of the runtime
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all it wrote is read
}

// run starts a program as part of the instance.
func (i *Instance) run(path, extension string) error {
	p := &process{name: extension, cmd: exec.Command(path), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = i.f.root, i.environment()
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	i.change(func() { // so that it is known before it can register
		if err = i.f.spawn.start(p.cmd, i.group); err != nil {
			return
		}
		i.processes = append(i.processes, p)
		if extension == "" {
			i.runtime.process = p
		}
		if i.killed {
			p.signal(syscall.SIGKILL)
		}
	})
	in.Close()
	if err != nil {
		out.Close()
		kind := "Runtime.InvalidEntrypoint"
		if extension != "" {
			kind = "Extension.LaunchError"
		}
		return &fault{kind: kind, message: "Error: " + err.Error()}
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer out.Close()
		kind := "function"
		if extension != "" {
			kind = "extension"
		}
		eachLine(out, func(line string) {
			i.f.log.line(line)
			i.telemetry.emit(kind, line)
		})
	}()
	go func() {
		err := p.cmd.Wait()
		p.signal(syscall.SIGKILL) // what it has left behind
		<-read
		close(p.done)
		i.exited(p, err)
	}()
	return nil
}

// exited is told that a process has ended.
func (i *Instance) exited(p *process, err error) {
	kind, why := "Runtime.ExitError", "Runtime exited without providing a reason"
	if p.name != "" {
		kind, why = "Extension.Crash", "exit code 0"
	}
	if err != nil {
		why = err.Error()
		if p.name == "" {
			why = "Runtime exited with error: " + why
		}
	}
	i.mu.Lock()
	ending := i.ending
	i.mu.Unlock()
	if !ending {
		i.fail(&fault{kind: kind, message: "Error: " + why})
		i.f.drop(i)
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal sends the process and those that it started a signal. One that has
// ended gets none; what is left of its group does.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		signalGroup(p.pid(), s)
	}
}
