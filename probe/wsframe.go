package probe

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"narthex/internal/message"
)

// Opcodes of frames (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	// maxWebSocketMessage is how long a message may be.
	maxWebSocketMessage = 1 << 20
	// maxControls is how many pings and the like may come before a message: a peer
	// that sends nothing else sends no message.
	maxControls = 1 << 10
)

// webSocket is the client's end of a connection after the handshake.
type webSocket struct {
	conn io.ReadWriteCloser
	in   *bufio.Reader
}

func newWebSocket(conn io.ReadWriteCloser) *webSocket {
	return &webSocket{conn: conn, in: bufio.NewReader(conn)}
}

// protocolError is what a peer does that the protocol forbids.
type protocolError struct {
	code uint16 // of the close frame that tells the peer
	what string
}

// Error says what the peer did.
func (e *protocolError) Error() string { return e.what }

// closedError is the peer's close frame.
type closedError struct {
	code   uint16
	reason string
}

// Error returns the code and the peer's reason.
func (e *closedError) Error() string {
	return fmt.Sprintf("the peer closes the WebSocket with code %d %s", e.code, message.Quote(e.reason))
}

// read returns the next message, whole. It answers pings and the close frame.
func (s *webSocket) read() ([]byte, error) {
	text, err := s.message()
	var wrong *protocolError
	if errors.As(err, &wrong) {
		s.bye(wrong.code)
	}
	return text, err
}

func (s *webSocket) message() ([]byte, error) {
	var out []byte
	kind, controls := byte(0), 0
	for {
		f, err := s.frame(maxWebSocketMessage - len(out))
		if err != nil {
			return nil, err
		}
		if f.op >= opClose {
			if controls++; controls > maxControls {
				return nil, &protocolError{1008, fmt.Sprintf("the peer sends %d control frames and no message", maxControls)}
			}
			if err := s.control(f); err != nil {
				return nil, err
			}
			continue
		}
		switch {
		case (f.op == opContinuation) != (kind != 0):
			return nil, &protocolError{1002, "the peer mixes up the fragments of messages"}
		case kind == 0:
			kind = f.op
		}
		out = append(out, f.payload...)
		if !f.fin {
			if controls++; controls > maxControls {
				return nil, &protocolError{1008, fmt.Sprintf("the peer sends a message in more than %d fragments", maxControls)}
			}
			continue
		}
		if kind == opText && !utf8.Valid(out) {
			return nil, &protocolError{1007, "the peer sends a text that is not UTF-8"}
		}
		return out, nil
	}
}

// control does what a control frame asks for.
func (s *webSocket) control(f frame) error {
	switch f.op {
	case opPing:
		return s.write(opPong, f.payload)
	case opPong:
		return nil
	}
	code, reason := uint16(1005), ""
	if len(f.payload) >= 2 {
		code, reason = binary.BigEndian.Uint16(f.payload), string(f.payload[2:])
	}
	if len(f.payload) == 1 || !utf8.ValidString(reason) {
		return &protocolError{1002, "the peer sends a close frame that can't be read"}
	}
	s.bye(code)
	return &closedError{code, reason}
}

// frame is a frame as the peer has sent it.
type frame struct {
	fin     bool
	op      byte
	payload []byte
}

// frame reads the next frame, whose payload has at most limit bytes (RFC 6455,
// section 5.2).
func (s *webSocket) frame(limit int) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&0x80 != 0, op: head[0] & 0xf}
	size := uint64(head[1] & 0x7f)
	switch {
	case head[0]&0x70 != 0:
		return frame{}, &protocolError{1002, "the peer uses an extension that was not agreed on"}
	case f.op > opBinary && f.op < opClose || f.op > opPong:
		return frame{}, &protocolError{1002, fmt.Sprintf("the peer sends a frame of the unknown kind %d", f.op)}
	case head[1]&0x80 != 0:
		return frame{}, &protocolError{1002, "the peer masks its frames, which only clients do"}
	case f.op >= opClose && (!f.fin || size > 125):
		return frame{}, &protocolError{1002, "the peer sends a control frame that is fragmented or too long"}
	}
	if n := map[uint64]int{126: 2, 127: 8}[size]; n > 0 {
		var more [8]byte
		if _, err := io.ReadFull(s.in, more[8-n:]); err != nil {
			return frame{}, err
		}
		long := binary.BigEndian.Uint64(more[:])
		if size == 126 && long < 126 || size == 127 && (long < 1<<16 || long > 1<<63-1) {
			return frame{}, &protocolError{1002, "the peer writes the length of a frame in more bytes than it needs"}
		}
		size = long
	}
	if f.op < opClose && size > uint64(max(limit, 0)) {
		return frame{}, &protocolError{1009, fmt.Sprintf("the message is longer than %d bytes", maxWebSocketMessage)}
	}
	f.payload = make([]byte, size)
	_, err := io.ReadFull(s.in, f.payload)
	return f, err
}

// write sends a message in one frame, which is masked, as a client's has to be
// (RFC 6455, section 5.3).
func (s *webSocket) write(op byte, payload []byte) error {
	b := append(make([]byte, 0, len(payload)+14), 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	_, err := s.conn.Write(b)
	return err
}

// close says good-bye. Nobody waits for the answer.
func (s *webSocket) close() { s.bye(1000) }

func (s *webSocket) bye(code uint16) {
	if code == 1005 { // stands for a close frame without a code
		s.write(opClose, nil) // the connection ends anyway
		return
	}
	s.write(opClose, binary.BigEndian.AppendUint16(nil, code)) // as above
}

// webSocketFailure says why a message was not received or sent.
func webSocketFailure(ctx context.Context, phase Phase, err error) error {
	var wrong *protocolError
	var closed *closedError
	switch {
	case ctx.Err() != nil:
		return failed(phase, ReasonTimeout, "the WebSocket: %w", err)
	case errors.As(err, &closed):
		return failed(phase, ReasonClosed, "%w", err)
	case errors.As(err, &wrong) && wrong.code == 1009:
		return failed(phase, ReasonTooLarge, "%w", err)
	case errors.As(err, &wrong):
		return failed(phase, ReasonProtocol, "%w", err)
	}
	return failed(phase, reasonOf(ctx, err), "the WebSocket: %w", err)
}
