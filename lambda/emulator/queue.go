package emulator

import (
	"container/list"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// A Queue is a standard queue of an [SQS]: messages come at least once, in no
// particular order.
type Queue struct {
	s    *SQS
	name string

	mu         sync.Mutex
	changed    chan struct{} // closed, and another made, when a message comes or is given back
	attributes map[string]string
	messages   *list.List // of *message
	byReceipt  map[string]*list.Element
}

// message is one in a queue.
type message struct {
	id, body, sum string
	sent          time.Time
	attributes    json.RawMessage // message attributes, as they were sent
	visible       time.Time       // hidden until
	received      int             // how often
	first         time.Time       // received
	receipt       string          // the newest
}

// Delivered is a message that was received.
type Delivered struct {
	ID, Receipt, Body string
	MD5               string
	Received          int // how often, this time included
	Sent, First       time.Time
	Attributes        json.RawMessage // message attributes, or nil
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// ARN returns the queue's name for AWS.
func (q *Queue) ARN() string { return q.s.arn(q.name) }

// Len returns how many messages there are, hidden ones included.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages.Len()
}

// count returns how many messages may be received, are delayed, and are in
// flight.
func (q *Queue) count(now time.Time) (visible, delayed, flying int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := q.messages.Front(); e != nil; e = e.Next() {
		switch m := e.Value.(*message); {
		case !m.visible.After(now):
			visible++
		case m.received == 0:
			delayed++
		default:
			flying++
		}
	}
	return visible, delayed, flying
}

// seconds returns an attribute that is a number of seconds.
func (q *Queue) seconds(name string) time.Duration {
	n, _ := strconv.Atoi(q.attributes[name]) // checked when it was set
	return time.Duration(n) * time.Second
}

// Send puts a message into the queue and returns its id. A negative delay is the
// queue's.
func (q *Queue) Send(body string, delay time.Duration) string {
	return q.send(body, delay, nil).id
}

func (q *Queue) send(body string, delay time.Duration, attributes json.RawMessage) *message {
	sum := md5.Sum([]byte(body))
	now := time.Now()
	m := &message{id: newID(), body: body, sum: hex.EncodeToString(sum[:]), sent: now, attributes: attributes}
	q.mu.Lock()
	defer q.mu.Unlock()
	if delay < 0 {
		delay = q.seconds("DelaySeconds")
	}
	m.visible = now.Add(delay)
	q.messages.PushBack(m)
	q.notify()
	return m
}

// notify wakes those who wait for messages. The lock is held.
func (q *Queue) notify() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Receive returns up to most messages and hides them for a time (negative: the
// queue's). If there is none it waits for one.
func (q *Queue) Receive(ctx context.Context, most int, wait, hide time.Duration) []Delivered {
	deadline := time.Now().Add(wait)
	for {
		q.mu.Lock()
		if hide < 0 {
			hide = q.seconds("VisibilityTimeout")
		}
		got, dead, next := q.pick(most, hide)
		changed := q.changed
		q.mu.Unlock()
		q.bury(dead)
		now := time.Now()
		if len(got) > 0 || !now.Before(deadline) || ctx.Err() != nil {
			return got
		}
		if next.IsZero() || next.After(deadline) {
			next = deadline
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// pick receives what is visible, and takes out what was received too often. If
// there is nothing it says when there will be. The lock is held.
func (q *Queue) pick(most int, hide time.Duration) (got []Delivered, dead []*message, next time.Time) {
	now, limit := time.Now(), q.maxReceives()
	keep := q.seconds("MessageRetentionPeriod")
	for e := q.messages.Front(); e != nil && len(got) < most; {
		m, here := e.Value.(*message), e
		e = e.Next()
		switch {
		case now.Sub(m.sent) > keep:
			q.remove(here)
		case m.visible.After(now):
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
		case limit > 0 && m.received >= limit:
			q.remove(here)
			dead = append(dead, m)
		default:
			got = append(got, q.hand(here, m, now, hide))
		}
	}
	return got, dead, next
}

// hand marks a message as received. The lock is held.
func (q *Queue) hand(e *list.Element, m *message, now time.Time, hide time.Duration) Delivered {
	if m.received++; m.first.IsZero() {
		m.first = now
	}
	delete(q.byReceipt, m.receipt)
	m.receipt, m.visible = randomHex(24), now.Add(hide)
	q.byReceipt[m.receipt] = e
	return Delivered{m.id, m.receipt, m.body, m.sum, m.received, m.sent, m.first, m.attributes}
}

func (q *Queue) remove(e *list.Element) {
	delete(q.byReceipt, e.Value.(*message).receipt)
	q.messages.Remove(e)
}

// redrivePolicy says where messages go that were received too often.
type redrivePolicy struct {
	Target string      `json:"deadLetterTargetArn"`
	Max    json.Number `json:"maxReceiveCount"`
}

func (q *Queue) redrive() (p redrivePolicy) {
	_ = json.Unmarshal([]byte(q.attributes["RedrivePolicy"]), &p) // checked when it was set
	return p
}

// maxReceives is 0 if there is no bound.
func (q *Queue) maxReceives() int {
	n, _ := strconv.Atoi(q.redrive().Max.String()) // none is 0
	return n
}

// bury moves messages to the dead-letter queue.
func (q *Queue) bury(dead []*message) {
	if len(dead) == 0 {
		return
	}
	q.mu.Lock()
	target := q.redrive().Target
	q.mu.Unlock()
	to := q.s.byARN(target)
	if to == nil {
		return // deleted meanwhile, and the messages with it
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	for _, m := range dead {
		m.receipt, m.visible, m.received, m.first = "", time.Now(), 0, time.Time{}
		to.messages.PushBack(m)
	}
	to.notify()
}

// Delete deletes a message by its receipt. One that was received again since, or
// deleted, is left.
func (q *Queue) Delete(receipt string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, ok := q.byReceipt[receipt]; ok {
		q.remove(e)
	}
}

// hide sets for how long a message is hidden from now on.
func (q *Queue) hide(receipt string, d time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, ok := q.byReceipt[receipt]
	if !ok || !e.Value.(*message).visible.After(time.Now()) {
		return &sqsError{"MessageNotInflight", "the message is not in flight"}
	}
	e.Value.(*message).visible = time.Now().Add(d)
	q.notify()
	return nil
}

// purge deletes all messages.
func (q *Queue) purge() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages.Init()
	clear(q.byReceipt)
}

// set checks attributes and sets them.
func (q *Queue) set(attributes map[string]string) error {
	ranges := map[string][2]int{
		"VisibilityTimeout": {0, 43200}, "DelaySeconds": {0, 900}, "ReceiveMessageWaitTimeSeconds": {0, 20},
		"MessageRetentionPeriod": {60, 1209600}, "MaximumMessageSize": {1024, MaxMessage},
	}
	for name, value := range attributes {
		bounds, known := ranges[name]
		n, err := strconv.Atoi(value)
		switch {
		case name == "RedrivePolicy":
			var p redrivePolicy
			if json.Unmarshal([]byte(value), &p) != nil || q.s.byARN(p.Target) == nil {
				return invalid("Value %s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.", value)
			}
			if n, err := strconv.Atoi(p.Max.String()); err != nil || n < 1 || n > 1000 {
				return invalid("Value %s for parameter RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount.", value)
			}
		case !known:
			return &sqsError{"InvalidAttributeName", fmt.Sprintf("Unknown Attribute %s.", name)}
		case err != nil || n < bounds[0] || n > bounds[1]:
			return invalid("Invalid value for the parameter %s.", name)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, value := range attributes {
		q.attributes[name] = value
	}
	return nil
}
