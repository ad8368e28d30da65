package app_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"narthex"
	"narthex/app"
	"narthex/config"
)

// serving serves on a port of its own until the test ends, and returns its address.
func serving(t *testing.T, c *config.Config, connections int) string {
	t.Helper()
	c.Data = t.TempDir()
	a, err := app.New(t.Context(), app.Options{
		Config: c, Connections: connections, Logger: slog.New(slog.DiscardHandler),
		Sink: narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// TestConnectionsAreBounded: whoever opens connections and leaves them idle has no
// more than there are, and others are answered once some are closed.
func TestConnectionsAreBounded(t *testing.T) {
	address := serving(t, config.Default(), 2)
	var idle []net.Conn
	ask := func(conn net.Conn) <-chan int {
		code := make(chan int, 1)
		go func() {
			_, _ = io.WriteString(conn, "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				code <- 0
				return
			}
			code <- resp.StatusCode
		}()
		return code
	}
	connect := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for range 2 {
		conn := connect()
		if code := <-ask(conn); code != 200 {
			t.Fatalf("a connection that there is room for: %d", code)
		}
		idle = append(idle, conn)
	}
	third := ask(connect())
	if code := <-ask(idle[0]); code != 200 { // an idle one goes on
		t.Fatalf("an open connection: %d", code)
	}
	select {
	case code := <-third:
		t.Fatalf("a third connection was answered %d while two are open", code)
	default:
	}
	idle[1].Close()
	if code := <-third; code != 200 {
		t.Errorf("the third connection, once there is room: %d", code)
	}
}
