package emulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Mapping is an event source mapping: it takes batches off a queue, invokes a
// function with them and deletes what the function has dealt with. What failed is
// left hidden until its visibility timeout is over.
//
// Source: "Using Lambda with Amazon SQS" and "Handling errors for an SQS event
// source in Lambda".
type Mapping struct {
	Queue    *Queue
	Function *Function
	// BatchSize is how many messages an event has at most; 0 is 10. More than 10
	// want a Window.
	BatchSize int
	// Window is how long a batch waits for more messages.
	Window time.Duration
	// Wait is how long a poll of an empty queue waits; 0 is 20 s, Lambda's own.
	Wait time.Duration
	// Concurrency is how many batches are under way at a time: the maximum
	// concurrency, 0 is 5, with which Lambda begins.
	Concurrency int
	// Partial is ReportBatchItemFailures: the answer says which messages failed.
	Partial bool

	// Twice is the share of batches, 0 to 1, that another instance gets too and at
	// the same time, which SQS may do; Shuffle changes the order in each. Both are
	// drawn by the Seed.
	Twice   float64
	Shuffle bool
	Seed    uint64

	mu    sync.Mutex
	stats MappingStats
}

// MappingStats counts what a mapping has done.
type MappingStats struct {
	Batches  int // handed over, the second times not counted
	Twice    int // handed over twice
	Messages int // in them
	Failed   int // messages that were left in the queue
	Errors   int // batches that failed as a whole

	// Receives and Deletes are requests to the queue, as AWS charges for them: a poll
	// that found nothing is one, and one deletes up to ten messages.
	Receives, Deletes int
}

// Stats returns what the mapping has done so far.
func (m *Mapping) Stats() MappingStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// Run moves batches until the context is done, and returns when those that are
// under way have ended.
func (m *Mapping) Run(ctx context.Context) {
	n := m.Concurrency
	if n == 0 {
		n = 5
	}
	var pollers sync.WaitGroup
	for p := range n {
		pollers.Go(func() {
			r := rand.New(rand.NewPCG(m.Seed, uint64(p)))
			for ctx.Err() == nil {
				if batch := m.gather(ctx); len(batch) > 0 {
					m.hand(context.WithoutCancel(ctx), batch, r)
				}
			}
		})
	}
	pollers.Wait()
}

// pollWait is how long a poll waits, Lambda's own.
const pollWait = 20 * time.Second

// receive polls the queue once.
func (m *Mapping) receive(ctx context.Context, most int, wait time.Duration) []Delivered {
	m.mu.Lock()
	m.stats.Receives++
	m.mu.Unlock()
	return m.Queue.Receive(ctx, min(most, maxEntries), wait, -1)
}

// gather receives a batch: the first messages that come, and with a window more
// until it is over, the batch is full, or it nears the limit of an event.
func (m *Mapping) gather(ctx context.Context) []Delivered {
	size := m.BatchSize
	if size == 0 {
		size = maxEntries
	}
	batch := m.receive(ctx, size, cmp.Or(m.Wait, pollWait))
	end := time.Now().Add(m.Window)
	for len(batch) > 0 && len(batch) < size && weight(batch) < MaxPayload/2 {
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			break
		}
		batch = append(batch, m.receive(ctx, size-len(batch), left)...)
	}
	return batch
}

func weight(batch []Delivered) (bytes int) {
	for _, d := range batch {
		bytes += len(d.Body)
	}
	return bytes
}

// hand invokes the function with a batch and deletes what is done.
func (m *Mapping) hand(ctx context.Context, batch []Delivered, r *rand.Rand) {
	if m.Shuffle {
		r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	}
	event := m.event(batch)
	twice := r.Float64() < m.Twice
	var other sync.WaitGroup
	if twice {
		other.Go(func() { _, _ = m.Function.Invoke(ctx, event) }) // whatever becomes of it
	}
	result, err := m.invoke(ctx, event)
	failed, whole := batch, true
	if err == nil && result.FunctionError == "" {
		failed, whole = m.failures(batch, result.Payload)
	}
	left := make(map[string]bool, len(failed))
	for _, d := range failed {
		left[d.Receipt] = true
	}
	for _, d := range batch {
		if !left[d.Receipt] {
			m.Queue.Delete(d.Receipt)
		}
	}
	other.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Batches++
	m.stats.Messages += len(batch)
	m.stats.Failed += len(failed)
	m.stats.Deletes += (len(batch) - len(left) + maxEntries - 1) / maxEntries
	if whole {
		m.stats.Errors++
	}
	if twice {
		m.stats.Twice++
	}
}

// invoke tries again while the function has no instance free, for as long as the
// batch is hidden.
func (m *Mapping) invoke(ctx context.Context, event []byte) (Result, error) {
	m.Queue.mu.Lock()
	hidden := m.Queue.seconds("VisibilityTimeout")
	m.Queue.mu.Unlock()
	end, pause := time.Now().Add(hidden), 50*time.Millisecond
	for {
		result, err := m.Function.Invoke(ctx, event)
		if !errors.Is(err, ErrThrottled) || time.Now().Add(pause).After(end) {
			return result, err
		}
		if err := sleep(ctx, pause); err != nil {
			return result, err
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (m *Mapping) event(batch []Delivered) []byte {
	records := make([]map[string]any, 0, len(batch))
	for _, d := range batch {
		attributes := d.Attributes
		if attributes == nil {
			attributes = json.RawMessage("{}")
		}
		records = append(records, map[string]any{
			"messageId": d.ID, "receiptHandle": d.Receipt, "body": d.Body, "attributes": d.system(), "messageAttributes": attributes,
			"md5OfBody": d.MD5, "eventSource": "aws:sqs", "eventSourceARN": m.Queue.ARN(), "awsRegion": m.Queue.s.region,
		})
	}
	return marshal(map[string]any{"Records": records})
}

// failures returns the messages that an answer says have failed. All have if the
// answer is not one: that is not JSON, or names an id that is empty or none of the
// batch's.
func (m *Mapping) failures(batch []Delivered, answer []byte) (failed []Delivered, whole bool) {
	if !m.Partial || len(bytes.TrimSpace(answer)) == 0 {
		return nil, false
	}
	var a *struct {
		Failures []map[string]*string `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return batch, true
	}
	if a == nil {
		return nil, false
	}
	byID := make(map[string]Delivered, len(batch))
	for _, d := range batch {
		byID[d.ID] = d
	}
	for _, f := range a.Failures {
		id := f["itemIdentifier"]
		if id == nil {
			return batch, true
		}
		d, ok := byID[*id]
		if !ok {
			return batch, true
		}
		failed = append(failed, d)
	}
	return failed, false
}
