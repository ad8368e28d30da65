//go:build linux

package chaos

import (
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"time"
)

// clients is a program with bad clients beside the good ones.
type clients struct {
	*program
	held    []net.Conn
	over    chan struct{} // closed to end those that dribble
	working sync.WaitGroup
}

func newClients(r *run) world {
	c := &clients{program: newProgram(r).(*program), over: make(chan struct{})}
	r.Cleanup(c.release)
	return c
}

func (c *clients) actions() map[string]func(r *run) {
	all := c.program.actions()
	maps.Copy(all, map[string]func(r *run){
		"slow": func(r *run) { // a header that never ends
			c.hold(10+r.r.IntN(20), "POST /api/v1/push HTTP/1.1\r\nHost: "+c.Address+"\r\nX-Slow: ", "a", 100*time.Millisecond)
		},
		"endless": func(r *run) { // a body that never ends, as fast as it goes
			chunk := strings.Repeat(`{"name":"chaos_bad_total","add":1},`, 1000)
			c.hold(1+r.r.IntN(4), "POST /api/v1/push HTTP/1.1\r\nHost: "+c.Address+"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
				fmt.Sprintf("%x\r\n%s\r\n", len(chunk), chunk), time.Millisecond)
		},
		"dribble": func(r *run) { // a body of which a little comes now and then
			c.hold(10+r.r.IntN(20), "POST /api/v1/push HTTP/1.1\r\nHost: "+c.Address+"\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{", " ", 50*time.Millisecond)
		},
		"deaf": func(r *run) { // asks for much and does not read the answer
			c.hold(5+r.r.IntN(10), strings.Repeat("GET /metrics HTTP/1.1\r\nHost: "+c.Address+"\r\n\r\n", 50), "", time.Second)
		},
		"release": func(*run) { c.release() },
	})
	return all
}

// hold opens connections that each begin so, and then go on with more.
func (c *clients) hold(n int, begin, more string, every time.Duration) {
	over := c.over
	for range n {
		if len(c.held) > 200 {
			return
		}
		conn, err := net.DialTimeout("tcp", c.Address, time.Second)
		if err != nil {
			return
		}
		c.held = append(c.held, conn)
		c.working.Go(func() {
			for text := begin; ; text = more {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
				select {
				case <-time.After(every):
				case <-over:
					return
				}
			}
		})
	}
}

// release ends the bad ones.
func (c *clients) release() {
	close(c.over)
	for _, conn := range c.held {
		conn.Close()
	}
	c.working.Wait()
	c.held, c.over = nil, make(chan struct{})
}

func (c *clients) heal(r *run) {
	c.bounds(r) // while they are there
	c.release()
	c.program.heal(r)
}
