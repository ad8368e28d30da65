package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"time"
)

// pings are the echo requests of one trial and their replies. A request is known by
// its id, its number and its payload, which are random for each trial: two
// trials, or two programs, can't take each other's replies for theirs.
type pings struct {
	socket    ICMPSocket
	to        netip.Addr
	id, first uint16
	payload   []byte
	sent      []time.Time // by number; zero is not sent yet
	rtt       []time.Duration
	hopLimit  int // of the last reply, -1 if it is not known
	replies   int
	refusals  int   // requests that a router on the way could not deliver
	refusal   error // what it said
}

func newPings(s ICMPSocket, to netip.Addr, n, payloadSize int) *pings {
	p := &pings{
		socket: s, to: to, id: uint16(rand.Uint32()), first: uint16(rand.Uint32()),
		sent: make([]time.Time, n), rtt: make([]time.Duration, n), hopLimit: -1,
		payload: []byte(icmpText),
	}
	if payloadSize > 0 {
		p.payload = make([]byte, payloadSize)
		copy(p.payload, icmpText)
	}
	var nonce [8]byte
	binary.BigEndian.PutUint64(nonce[:], rand.Uint64())
	copy(p.payload[max(len(p.payload)-len(nonce), 0):], nonce[:])
	return p
}

// run sends the requests, one each interval, and receives the replies.
func (p *pings) run(ctx context.Context, interval time.Duration) error {
	begun := time.Now()
	deadline, _ := ctx.Deadline()
	defer context.AfterFunc(ctx, func() { p.socket.SetReadDeadline(time.Unix(1, 0)) })()
	buffer := make([]byte, len(p.payload)+1500)
	for n := 0; ; {
		next := begun.Add(time.Duration(n) * interval)
		for n < len(p.sent) && ctx.Err() == nil && !time.Now().Before(next) {
			if err := p.send(ctx, n); err != nil {
				return err
			}
			n++
			next = begun.Add(time.Duration(n) * interval)
		}
		until := deadline
		if n < len(p.sent) {
			until = earlier(next, deadline)
		} else if p.replies+p.refusals >= n {
			break
		} else if p.replies > 0 {
			until = earlier(p.sent[n-1].Add(max(icmpPatience, 2*p.slowest())), deadline)
		}
		p.socket.SetReadDeadline(until)
		if ctx.Err() != nil || p.receive(ctx, buffer) && n == len(p.sent) {
			break
		}
	}
	if p.replies > 0 {
		return nil
	}
	return p.lost()
}

func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

func (p *pings) slowest() (out time.Duration) {
	for _, d := range p.rtt {
		out = max(out, d)
	}
	return out
}

func (p *pings) requestType() byte {
	if p.to.Is6() {
		return echoRequest6
	}
	return echoRequest4
}

func (p *pings) replyType() byte {
	if p.to.Is6() {
		return echoReply6
	}
	return echoReply4
}

func (p *pings) send(ctx context.Context, n int) error {
	packet := appendEcho(nil, p.requestType(), p.id, p.first+uint16(n), p.payload)
	p.sent[n] = time.Now()
	if err := p.socket.Send(packet); err != nil {
		p.sent[n] = time.Time{}
		return failed(PhaseRequest, reasonOf(ctx, err), "send an echo request: %w", err)
	}
	return nil
}

// receive waits for a packet. It returns true when none came in time.
func (p *pings) receive(ctx context.Context, buffer []byte) bool {
	packet, from, hopLimit, err := p.socket.Receive(buffer)
	now := time.Now()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	if err != nil { // what the kernel has heard of routers
		p.refuse(failed(PhaseResponse, reasonOf(ctx, err), "receive an echo reply: %w", err))
		return false
	}
	if i, ok := p.isReply(packet, from); ok {
		if p.rtt[i] == 0 {
			p.rtt[i] = max(now.Sub(p.sent[i]), 1)
			p.hopLimit = hopLimit
			p.replies++
		}
	} else if what := p.refused(packet); what != "" {
		p.refuse(failed(PhaseResponse, ReasonUnreachable, "%s says: %s", from, what))
	}
	return false
}

func (p *pings) refuse(err error) {
	p.refusals++
	p.refusal = err
}

// isReply reports whether a packet is the reply to one of the requests, and to
// which. A socket without privileges is given its id by the kernel, which lets no
// others through.
func (p *pings) isReply(packet []byte, from netip.Addr) (int, bool) {
	e, ok := parseEcho(packet, p.replyType())
	if !ok || from.WithZone("") != p.to.WithZone("") || !bytes.Equal(e.payload, p.payload) || p.socket.Privileged() && e.id != p.id {
		return 0, false
	}
	i := int(e.seq - p.first)
	return i, i < len(p.sent) && !p.sent[i].IsZero()
}

// refused returns what a packet says if it says that one of the requests can't be
// delivered, "" otherwise.
func (p *pings) refused(packet []byte) string {
	what, original := parseICMPError(packet, p.to.Is6())
	e, ok := parseEcho(original, p.requestType())
	if !ok || e.id != p.id || int(e.seq-p.first) >= len(p.sent) {
		return ""
	}
	return what
}

// lost returns why there was no reply.
func (p *pings) lost() error {
	if p.refusal != nil {
		return p.refusal
	}
	return failed(PhaseResponse, ReasonLoss, "none of %d echo requests was answered in time", len(p.sent))
}
