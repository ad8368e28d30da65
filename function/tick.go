package function

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/lambda"
	"narthex/ledger"
)

// ticked is what the command tick answers.
type ticked struct {
	Groups  int     `json:"groups"`
	Samples uint64  `json:"samples"` // written, those that were written again included
	Resent  uint64  `json:"resent"`  // of those
	Late    float64 `json:"late_seconds"`
}

// earliest is how long before its time a tick that was asked for is waited for. A
// queue delays messages by whole seconds.
const earliest = 2 * time.Second

// tick scrapes the ledger and writes what is due: now, or at the time, in
// milliseconds, that the event asks for.
func (n *instance) tick(ctx context.Context, event json.RawMessage) (any, error) {
	var want struct {
		At int64 `json:"at"`
	}
	if err := json.Unmarshal(event, &want); err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "the time of a tick can't be read: %w", err)
	}
	if err := n.await(ctx, want.At); err != nil {
		return nil, err
	}
	return n.tickNow(ctx, want.At > 0)
}

// await waits until it is the time, in milliseconds.
func (n *instance) await(ctx context.Context, at int64) error {
	for {
		wait := time.UnixMilli(at).Sub(n.o.Now())
		switch {
		case wait <= 0:
			return nil
		case wait > earliest:
			return narthex.Errorf(narthex.Unavailable, "it is %s too early for the tick: the queue's clock or this one is off", wait.Round(time.Millisecond))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return narthex.Errorf(narthex.Unavailable, "wait for the time of the tick: %w", ctx.Err())
		}
	}
}

// tickNow makes the tick that now belongs to; asked is whether it was asked for
// this very time.
func (n *instance) tickNow(ctx context.Context, asked bool) (any, error) {
	now := n.o.Now()
	l, err := n.ledger(ctx)
	if err != nil {
		return nil, err
	}
	n.folds.Store(true)
	before := l.Stats()
	err = l.Tick(ctx)
	after := l.Stats()
	at := ledger.Grid(now.UnixMilli(), n.c.Tick())
	out := ticked{l.Groups(), after.Samples - before.Samples, after.Resent - before.Resent, now.Sub(time.UnixMilli(at)).Seconds()}
	n.logger.InfoContext(ctx, "tick", "request_id", lambda.RequestID(ctx), "at", time.UnixMilli(at).UTC(), "asked", asked, "late_seconds", out.Late, "samples", out.Samples, "resent", out.Resent)
	return out, err
}

// schedule is what has been asked of the queue that delays messages.
type schedule struct {
	mu    sync.Mutex
	until int64 // the last time, in ms, for which a message was sent
}

// ahead is for how long messages are sent each minute. A schedule of each minute
// may come a minute late, so it is two; what was sent is remembered, so that it is
// seldom sent twice, which would do no harm.
const ahead = 2 * time.Minute

// minute is the command schedule, which comes each minute: it makes the tick that
// is due, and has the ticks of the time until the next one made by delayed
// messages, where ticks are less than a minute apart.
func (n *instance) minute(ctx context.Context, _ json.RawMessage) (any, error) {
	sent, err := n.sendTicks(ctx)
	if err != nil {
		// The tick of now is made all the same.
		n.logger.ErrorContext(ctx, "the ticks of this minute are not all sent", "err", err)
	}
	out, failed := n.tickNow(ctx, false)
	if failed == nil {
		failed = err
	}
	return struct {
		Tick any `json:"tick"`
		Sent int `json:"sent"`
	}{out, sent}, failed
}

// sendTicks sends a message for each tick that is ahead and for which none was
// sent, and returns how many.
func (n *instance) sendTicks(ctx context.Context) (sent int, err error) {
	every := n.c.Tick()
	if n.c.Lambda.ScheduleQueue == "" || every >= time.Minute {
		return 0, nil
	}
	session, err := n.session()
	if err != nil {
		return 0, err
	}
	n.ticks.mu.Lock()
	defer n.ticks.mu.Unlock()
	sqs := session.SQS()
	for {
		now := n.o.Now()
		var list []aws.SendMessage
		at := max(ledger.Grid(now.UnixMilli(), every), n.ticks.until) + every.Milliseconds()
		for ; len(list) < aws.MaxBatch && at <= now.Add(ahead).UnixMilli(); at += every.Milliseconds() {
			// The message comes up to a second early and then waits.
			delay := time.UnixMilli(at).Sub(now).Truncate(time.Second)
			list = append(list, aws.SendMessage{Body: fmt.Sprintf(`{"narthex":"tick","at":%d}`, at), Delay: delay})
		}
		if len(list) == 0 {
			return sent, nil
		}
		failed, err := sqs.SendMessageBatch(ctx, n.c.Lambda.ScheduleQueue, list)
		if err != nil {
			return sent, narthex.Errorf(narthex.Unavailable, "send ticks to the queue: %w", err)
		}
		sent += len(list) - len(failed)
		if len(failed) > 0 { // they are sent with the next minute's
			return sent, narthex.Errorf(narthex.Unavailable, "send ticks to the queue: %w", failed[0])
		}
		n.ticks.until = at - every.Milliseconds()
	}
}

// regroup spreads the totals over another number of values of the store.
func (n *instance) regroup(ctx context.Context, event json.RawMessage) (any, error) {
	var want struct{ Groups int }
	if err := json.Unmarshal(event, &want); err != nil || want.Groups == 0 {
		return nil, narthex.Errorf(narthex.Invalid, `say how many groups there are to be: {"narthex": "regroup", "groups": 16}`)
	}
	l, err := n.ledger(ctx)
	if err == nil {
		err = l.Regroup(ctx, want.Groups)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		Groups int `json:"groups"`
	}{l.Groups()}, nil
}
