package probe

import (
	"net"
	"sync"
)

// politeConn is a connection on which the client speaks first, as in HTTP: nothing is
// read before something is written. What a peer sends unasked would have net/http
// take it for an answer or not, as it comes, and log it.
type politeConn struct {
	net.Conn
	once sync.Once
	open chan struct{} // closed once something is written, or the connection is closed
}

func newPoliteConn(c net.Conn) *politeConn { return &politeConn{Conn: c, open: make(chan struct{})} }

// Read implements [net.Conn].
func (c *politeConn) Read(p []byte) (int, error) {
	<-c.open
	return c.Conn.Read(p)
}

// Write implements [net.Conn].
func (c *politeConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.once.Do(func() { close(c.open) })
	return n, err
}

// Close implements [net.Conn].
func (c *politeConn) Close() error {
	c.once.Do(func() { close(c.open) })
	return c.Conn.Close()
}
