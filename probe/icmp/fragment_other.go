//go:build !linux

package icmp

import "syscall"

// dontFragment sets the bit of the same name on what a socket sends.
func dontFragment(syscall.RawConn) error { return errNoFragmentBit }
