//go:build !linux

package probe

import "syscall"

// dontFragment sets the bit of the same name on what a socket sends.
func dontFragment(syscall.RawConn) error {
	return failed(PhasePolicy, ReasonUnsupported, "dont_fragment is known how to be set on Linux only: leave it out, or probe from Linux")
}
