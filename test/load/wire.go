package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// wire sends requests over connections that it keeps. Unlike the standard library's
// client it has no goroutines of its own, which would take from the processors that the
// clients and narthex share.
type wire struct {
	address string

	mu   sync.Mutex
	idle []*conn // the one used last is the last
}

// conn is a connection with one request on it at a time.
type conn struct {
	net.Conn
	in   *bufio.Reader
	out  []byte
	used time.Time
}

// maxIdle is after which time without a request a connection is closed. It is well
// below narthex's own, which otherwise might close one that is just being used.
const maxIdle = 5 * time.Second

// do sends a request and returns what was answered.
func (w *wire) do(q *request) (status int, retry, text string, err error) {
	c, err := w.take()
	if err != nil {
		return 0, "", "", err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	b := fmt.Appendf(c.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", q.method, q.path, w.address, len(q.body))
	for _, h := range q.header {
		b = append(b, h[0]+": "+h[1]+"\r\n"...)
	}
	c.out = append(append(b, "\r\n"...), q.body...)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, "", "", err
	}
	if _, err := c.Write(c.out); err != nil {
		return 0, "", "", err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, "", "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", "", err
	}
	if resp.Close {
		c.Close()
	} else {
		w.give(c)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), string(body), nil
}

func (w *wire) take() (*conn, error) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		c := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		if time.Since(c.used) < maxIdle {
			return c, nil
		}
		c.Close() // as are those below it, at the next give
	} else {
		w.mu.Unlock()
	}
	c, err := net.DialTimeout("tcp", w.address, patience)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// give keeps a connection, and closes those that were not used for long.
func (w *wire) give(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.used = time.Now()
	w.idle = append(w.idle, c)
	old := 0
	for old < len(w.idle) && time.Since(w.idle[old].used) > maxIdle {
		w.idle[old].Close()
		old++
	}
	w.idle = w.idle[old:]
}

func newWire(url string) *wire { return &wire{address: strings.TrimPrefix(url, "http://")} }
