//go:build unix

package emulator

import "syscall"

const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// signalGroup sends a signal to a process and those of its group.
func signalGroup(pid int, s syscall.Signal) {
	_ = syscall.Kill(-pid, s) // they have ended
}
