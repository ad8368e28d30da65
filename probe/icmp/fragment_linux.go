package icmp

import "syscall"

// dontFragment sets the bit of the same name on what a socket sends, and lets it
// send more than the path is known to take, so that the path itself is probed.
//
// Source: ip(7), IP_MTU_DISCOVER.
func dontFragment(c syscall.RawConn) error {
	var err error
	if failure := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER, syscall.IP_PMTUDISC_PROBE)
	}); failure != nil {
		err = failure
	}
	return err
}
