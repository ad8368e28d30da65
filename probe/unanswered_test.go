package probe_test

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// unanswered listens at an address and lets nobody in: its queue is full, so that
// the system does not answer who connects.
func unanswered(t *testing.T, address string) {
	t.Helper()
	to := netip.MustParseAddrPort(address)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(os.NewSyscallError("listen at "+address, err))
	}
	for range 10 {
		c, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue is never full")
}
