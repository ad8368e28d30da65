package narthextest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// The ports that are handed out: below those that the system gives to whoever asks
// for any, so that nobody takes one before a program listens there or while that is
// started again.
const (
	firstPort = 20_000
	ports     = 10_000
)

// Ports hands out addresses of this machine. The zero value is ready; its methods
// may be called at the same time.
type Ports struct {
	mu   sync.Mutex
	last int // 0: none yet
}

// Address returns an address that nothing listens on, another at each call.
func (p *Ports) Address() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == 0 { // somewhere, for tests of several packages run at the same time
		p.last = 1 + rand.IntN(ports)
	}
	for range ports {
		p.last++
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+p.last%ports)
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address, nil
		}
	}
	return "", errors.New("no port from 20000 to 29999 is free")
}
