package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"narthex/internal/message"
)

const (
	// maxLine is the longest line that is looked at, as in the exporter.
	maxLine = 64 << 10
	// maxSaid is how much is read while a line that matches is waited for, as much as a
	// body of HTTP has by default; the exporter reads for ever.
	maxSaid = 10 << 20
	// maxLogged is how many lines are in the log of the probe.
	maxLogged = 100
)

// conversation is what is said over a connection, line by line: the
// query_response of tcp and unix.
type conversation struct {
	t     *trial
	conn  net.Conn
	in    *bufio.Reader
	info  *expectInfo
	regex *gauge
	bytes *gauge
	// startTLS goes on in TLS over the connection.
	startTLS func(ctx context.Context, conn net.Conn) (*tls.Conn, error)
}

// conversationMetrics returns the metrics that say what was not as expected. They
// are 0 from the start, so that they do not come and go with the connection.
func (t *trial) conversationMetrics() (regex, bytes *gauge) {
	regex = t.gauge("probe_failed_due_to_regex", "Indicates if probe failed due to regex")
	bytes = t.gauge("probe_failed_due_to_bytes", "Indicates if probe failed due to bytes")
	regex.Set(0)
	bytes.Set(0)
	return regex, bytes
}

// talk takes the steps over a connection, or over TLS on it if useTLS, and closes it.
func (t *trial) talk(ctx context.Context, conn net.Conn, useTLS bool, steps []Step, handshake func(context.Context, net.Conn) (*tls.Conn, error)) error {
	defer func() { conn.Close() }()
	if useTLS {
		secure, err := handshake(ctx, conn)
		if err != nil {
			return err
		}
		conn = secure
	}
	return t.converse(ctx, conn, steps, handshake)
}

// converse takes the steps over a connection, which ends with ctx. The caller
// closes it.
func (t *trial) converse(ctx context.Context, conn net.Conn, steps []Step, startTLS func(context.Context, net.Conn) (*tls.Conn, error)) error {
	defer endWith(ctx, conn)()
	c := &conversation{t: t, conn: conn, in: bufio.NewReaderSize(conn, 4<<10), info: newExpectInfo(t, steps), startTLS: startTLS}
	c.regex, c.bytes = t.conversationMetrics()
	for i, s := range steps {
		t.log.Debug("Processing query response entry", "entry_number", i)
		t.hide(strings.TrimSpace(string(s.Send)))
		if err := c.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversation) step(ctx context.Context, s Step) error {
	send := string(s.Send)
	switch {
	case s.Expect != nil:
		var err error
		if send, err = c.expect(ctx, s); err != nil {
			return err
		}
	case s.ExpectBytes != "":
		if err := c.expectBytes(ctx, s.ExpectBytes); err != nil {
			return err
		}
	}
	if send != "" {
		c.t.log.Debug("Sending line", "bytes", len(send)+1)
		if _, err := io.WriteString(c.conn, send+"\n"); err != nil {
			return failed(PhaseRequest, reasonOf(ctx, err), "send a line: %w", err)
		}
	}
	if !s.StartTLS {
		return nil
	}
	// What the peer has said in plain text before the handshake counts for nothing.
	conn, err := c.startTLS(ctx, c.conn)
	if err != nil {
		return err
	}
	c.conn, c.in = conn, bufio.NewReaderSize(conn, 4<<10)
	return nil
}

// expect reads lines until one matches, and returns what is to be sent then.
func (c *conversation) expect(ctx context.Context, s Step) (string, error) {
	var last []byte
	said := 0
	for n := 0; said < maxSaid; n++ {
		line, err := readLine(c.in)
		if errors.Is(err, io.EOF) {
			c.regex.Set(1)
			return "", failed(PhaseAssert, ReasonMismatch, "the peer ended the connection after %d lines, and none matched %s; the last is %s", n, s.Expect, message.Quote(string(last)))
		}
		if errors.Is(err, errLongLine) {
			return "", failed(PhaseResponse, ReasonTooLarge, "%w", err)
		}
		if err != nil {
			return "", failed(PhaseResponse, reasonOf(ctx, err), "read a line that matches %s: %w", s.Expect, err)
		}
		said += len(line) + 1
		if n < maxLogged {
			c.t.log.Debug("Read line", "line", message.Clip(string(line), labelLimit))
		}
		if m := s.Expect.FindSubmatchIndex(line); m != nil {
			c.t.log.Debug("Regexp matched", "regexp", s.Expect.String())
			c.info.set(s, line, m)
			return string(s.Expect.Expand(nil, []byte(s.Send), line, m)), nil
		}
		last = append(last[:0], line[:min(len(line), 100)]...)
	}
	c.regex.Set(1)
	return "", failed(PhaseResponse, ReasonTooLarge, "the peer has sent %d bytes, and no line of them matches %s; the last is %s", said, s.Expect, message.Quote(string(last)))
}

// readLine reads a line without its end, \n or \r\n. The last one need not have
// an end. The line is good until the next call.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	for long := []byte(nil); errors.Is(err, bufio.ErrBufferFull); {
		long = append(long, line...)
		if len(long) >= maxLine {
			return nil, errLongLine
		}
		line, err = in.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			line = append(long, line...)
		}
	}
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
}

var errLongLine = fmt.Errorf("the line is longer than %d bytes", maxLine)

// expectBytes reads as many bytes as want has, and compares them.
func (c *conversation) expectBytes(ctx context.Context, want string) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.in, got)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return failed(PhaseResponse, ReasonClosed, "the peer ended the connection after %d of %d bytes", n, len(want))
	}
	if err != nil {
		return failed(PhaseResponse, reasonOf(ctx, err), "read %d bytes: %w", len(want), err)
	}
	if string(got) != want {
		c.bytes.Set(1)
		return failed(PhaseAssert, ReasonMismatch, "the bytes %s were expected, and %s came", message.Quote(want), message.Quote(string(got)))
	}
	c.t.log.Debug("Bytes matched", "bytes", n)
	return nil
}

// expectInfo is probe_expect_info: a series for each step that has labels. Its
// steps may have different ones.
type expectInfo struct {
	t     *trial
	names []string
}

func newExpectInfo(t *trial, steps []Step) *expectInfo {
	e := &expectInfo{t: t}
	for _, s := range steps {
		for _, l := range s.Labels {
			if !slices.Contains(e.names, l.Name) {
				e.names = append(e.names, l.Name)
			}
		}
	}
	return e
}

// set makes the series of a step whose regular expression has matched text.
func (e *expectInfo) set(s Step, text []byte, match []int) {
	if len(s.Labels) == 0 {
		return
	}
	values := make([]string, len(e.names))
	for _, l := range s.Labels {
		values[slices.Index(e.names, l.Name)] = labelText(string(s.Expect.Expand(nil, []byte(l.Value), text, match)))
	}
	e.t.gauge("probe_expect_info", "Explicit content matched", e.names...).With(values...).Set(1)
}

// labelText makes a label's value of what a peer has sent: valid UTF-8 of a
// bounded length.
func labelText(s string) string {
	return message.Clip(strings.ToValidUTF8(s, "\uFFFD"), labelLimit)
}
