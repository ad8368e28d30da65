package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// mapping is what Lambda has between a queue and a function: it hands batches to
// an instance and deletes what was not reported as failed. This one also does
// what SQS may do: it hands the same batch to another instance at the same time,
// and in another order.
type mapping struct {
	*worker
	sqs   *aws.SQS
	queue string
	r     *rand.Rand
	twice bool

	delivered, failed int
}

// poll hands over one batch and reports whether there was one.
func (m *mapping) poll(ctx context.Context) bool {
	list, err := m.sqs.ReceiveMessage(ctx, m.queue, queueBatch)
	if err != nil {
		m.t.Error(err)
		return false
	}
	if len(list) == 0 {
		return false
	}
	m.delivered += len(list)
	if m.twice && m.r.IntN(2) == 0 {
		m.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		other := &worker{fleet: m.fleet}
		other.now = m.start()
		other.now.invoke(batchEvent(list)) // whatever becomes of it
		other.now.kill()
	}
	if m.now == nil {
		m.now = m.start()
	}
	answer := m.now.invoke(batchEvent(list))
	if answer.killed || answer.failed {
		m.now = nil
		return true // the messages come again when they are visible again
	}
	var out struct {
		BatchItemFailures []struct{ ItemIdentifier string }
	}
	if err := json.Unmarshal(answer.body, &out); err != nil || !strings.Contains(string(answer.body), `"batchItemFailures":[`) {
		m.t.Errorf("a batch was answered %s: %v", answer.body, err)
	}
	failed := make(map[string]bool)
	for _, f := range out.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	var done []string
	for _, x := range list {
		if failed[x.ID] {
			m.failed++
		} else {
			done = append(done, x.Receipt)
		}
	}
	if len(done) > 0 {
		if _, err := m.sqs.DeleteMessageBatch(ctx, m.queue, done); err != nil {
			m.t.Error(err)
		}
	}
	return true
}

func batchEvent(list []aws.Message) map[string]any {
	var records []map[string]any
	for _, m := range list {
		records = append(records, map[string]any{"messageId": m.ID, "receiptHandle": m.Receipt, "body": m.Body, "eventSource": "aws:sqs"})
	}
	return map[string]any{"Records": records}
}

// Pushes are acknowledged as queued, messages are delivered twice, in batches
// that are killed half way and come again: each push counts once. A message that
// nobody can read ends in the dead-letter queue, and delays no other.
func TestShardQueue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rc := inProcess(t, 0)
	rec := newRecorder(t, rc.write)
	endpoint := awstest.SQS(t)
	sqs := awstest.Session(t, endpoint).SQS()
	dead, err := sqs.CreateQueue(ctx, "dead", nil)
	if err != nil {
		t.Fatal(err)
	}
	log, err := sqs.CreateQueue(ctx, "log", map[string]string{"VisibilityTimeout": "1",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"10"}`})
	if err != nil {
		t.Fatal(err)
	}
	env := awsEnv(map[string]string{"s3": awstest.S3(t), "sqs": endpoint})
	door := &fleet{t: t, env: append(slices.Clip(env), "NARTHEX_QUEUE="+log, "NARTHEX_STATE=s3://"+awstest.Bucket+"/queue")}
	fold := &fleet{t: t, env: append(slices.Clip(env), "NARTHEX_QUEUE="+log, "NARTHEX_STATE=s3://"+awstest.Bucket+"/queue", "NARTHEX_GROUPS=3", "NARTHEX_INTERVAL=1s", "NARTHEX_REMOTE_WRITE_URL="+rec.url)}
	for _, body := range unreadable {
		send(t, sqs, log, body)
	}

	truth, r := map[string]float64{}, rand.New(rand.NewPCG(7, 7))
	var pushing, others sync.WaitGroup
	var over atomic.Bool
	for n := range 4 {
		var pushes []string
		for range scaled(1000, 80) {
			c := fmt.Sprintf("c%d", r.IntN(20))
			truth[c]++
			pushes = append(pushes, c)
		}
		pushing.Go(func() {
			w := &worker{fleet: door}
			for i, c := range pushes {
				w.push(fmt.Sprintf("%d/%d", n, i), []string{c})
				if i%7 == 0 { // its answer was lost, so the sender sends it again
					w.push(fmt.Sprintf("%d/%d", n, i), []string{c})
				}
			}
		})
	}
	mappings := make([]*mapping, 2)
	for i := range mappings {
		mappings[i] = &mapping{worker: &worker{fleet: fold}, sqs: sqs, queue: log, r: rand.New(rand.NewPCG(9, uint64(i))), twice: i == 0}
		others.Go(func() {
			for !over.Load() {
				mappings[i].poll(ctx)
			}
		})
	}
	others.Go(func() {
		for w := (&worker{fleet: fold}); !over.Load(); {
			w.tick()
		}
	})
	others.Go(func() {
		k := rand.New(rand.NewPCG(1, 1))
		for pause := time.NewTicker(30 * time.Millisecond); !over.Load(); <-pause.C {
			if k.IntN(2) == 0 {
				fold.strike(k)
			}
		}
	})
	pushing.Wait()
	eventually(t, "some are killed", func() bool {
		fold.mu.Lock()
		defer fold.mu.Unlock()
		return fold.kills >= 10
	})
	over.Store(true)
	others.Wait()

	// Then nobody is killed any more, until all is done with.
	m := &mapping{worker: &worker{fleet: fold}, sqs: sqs, queue: log, r: r}
	buried := map[string]bool{}
	eventually(t, "the unreadable messages are in the dead-letter queue", func() bool {
		for m.poll(ctx) {
		}
		list, err := sqs.ReceiveMessage(ctx, dead, queueBatch)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			buried[x.Body] = true
		}
		return len(buried) >= len(unreadable)
	})
	for _, body := range unreadable {
		if !buried[body] || len(buried) != len(unreadable) {
			t.Fatalf("in the dead-letter queue are %v", buried)
		}
	}
	eventually(t, "all of it is written", func() bool {
		m.tick()
		got := 0
		for _, x := range rc.query(t, `{__name__=~"c.*_total"}`, time.Time{}) {
			if x.Value.v == fmt.Sprint(truth[x.Metric["which"]]) {
				got++
			}
		}
		return got == len(truth)
	})
	rec.check(rc, truth)
	t.Logf("%d deliveries, %d of them failed, %d instances were killed", mappings[0].delivered+mappings[1].delivered+m.delivered, mappings[0].failed+mappings[1].failed+m.failed, fold.kills)

	w := &worker{fleet: door}
	w.push("last", []string{"c0"})
	status, answer := w.now.http("GET", "/api/v1/receipts/last", "")
	if status != 200 || !strings.Contains(answer, `"status":"queued"`) {
		t.Errorf("the receipt of what is queued: %d %s", status, answer)
	}
	for m.poll(ctx) {
	}
	eventually(t, "the receipt says written", func() bool {
		m.tick()
		status, answer = w.now.http("GET", "/api/v1/receipts/last", "")
		return status == 200 && strings.Contains(answer, `"status":"written"`)
	})
}

// unreadable are messages that are not narthex's.
var unreadable = []string{"no message of ours", "narthex1:!", "narthex1:AAAA", "narthex9:later"}

var queueBatch = aws.ReceiveOptions{Max: aws.MaxBatch}

func send(t testing.TB, sqs *aws.SQS, queue, body string) {
	t.Helper()
	if _, err := sqs.SendMessage(t.Context(), queue, aws.SendMessage{Body: body}); err != nil {
		t.Fatal(err)
	}
}
