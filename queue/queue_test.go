package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/internal/awstest"
	"narthex/ledger"
	"narthex/queue"
	"narthex/shard"
	"narthex/state"
)

// wire keeps the messages that it is to send.
type wire struct {
	bodies []string
	err    error
}

func (w *wire) SendMessage(_ context.Context, _ string, m aws.SendMessage) (string, error) {
	if w.err != nil {
		return "", w.err
	}
	w.bodies = append(w.bodies, m.Body)
	return fmt.Sprint(len(w.bodies)), nil
}

func (w *wire) messages() (list []queue.Message) {
	for i, body := range w.bodies {
		list = append(list, queue.Message{ID: fmt.Sprint(i), Body: body})
	}
	return list
}

func batch(t testing.TB, id string, as narthex.As, names ...string) *narthex.Batch {
	t.Helper()
	b := &narthex.Batch{ID: id, Identity: "me", Received: time.Now()}
	for _, name := range names {
		ls, err := narthex.NewLabels(narthex.Label{Name: narthex.MetricName, Value: name})
		if err != nil {
			t.Fatal(err)
		}
		typ := narthex.TypeCounter
		if as == narthex.AsGauge {
			typ = narthex.TypeGauge
		}
		b.Series = append(b.Series, narthex.Series{Labels: ls, Type: typ, As: as, Samples: []narthex.Sample{{Value: 1}}})
	}
	return b
}

func shards(t testing.TB, store state.Store, sink narthex.Sink) *shard.Shards {
	t.Helper()
	s, err := shard.Open(t.Context(), shard.Options{Store: store, Groups: 2, Destinations: map[string]narthex.Sink{"store": sink}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSink(t *testing.T) {
	w := new(wire)
	s := &queue.Sink{SQS: w, URL: "q"}
	b := batch(t, "id", narthex.AsDelta, "a_total")
	if err := s.Write(t.Context(), b); err != nil || !b.Queued || len(w.bodies) != 1 {
		t.Fatalf("%v, queued %v, %d messages", err, b.Queued, len(w.bodies))
	}
	e, err := queue.Decode(w.bodies[0])
	if err != nil || e.ID != ledger.NewID("me", "id") {
		t.Errorf("the message holds %+v, %v", e, err)
	}

	w.err = errors.New("away")
	b = batch(t, "id", narthex.AsDelta, "a_total")
	if err := s.Write(t.Context(), b); narthex.KindOf(err) != narthex.Unavailable || b.Queued {
		t.Errorf("when SQS is away: %v, queued %v", err, b.Queued)
	}
	w.err = nil

	// As much as fits, and what does not.
	var names []string
	r := rand.New(rand.NewPCG(1, 2))
	for len(names) < 30_000 {
		names = append(names, fmt.Sprintf("c%x%x_total", r.Uint64(), r.Uint64()))
	}
	if err := s.Write(t.Context(), batch(t, "big", narthex.AsDelta, names[:20_000]...)); err != nil {
		t.Error(err)
	}
	if n := len(w.bodies[1]); n > 1<<20 || n < 1<<19 {
		t.Errorf("the large message has %d bytes, which tries nothing", n)
	}
	err = s.Write(t.Context(), batch(t, "bigger", narthex.AsDelta, names...))
	if narthex.KindOf(err) != narthex.TooLarge || !strings.Contains(err.Error(), "in parts") {
		t.Errorf("the too large one: %v", err)
	}
	group, totals := batch(t, "g", narthex.AsSample, "a"), batch(t, "t", narthex.AsDelta, "a_total")
	group.Group, totals.Cumulative = &narthex.Group{Labels: group.Series[0].Labels}, "process"
	for _, b := range []*narthex.Batch{group, totals} {
		n := len(w.bodies)
		s.Direct = nil
		if err := s.Write(t.Context(), b); narthex.KindOf(err) != narthex.Unavailable {
			t.Errorf("what must not be overtaken, without a ledger: %v", err)
		}
		direct := 0
		s.Direct = narthex.SinkFunc(func(context.Context, *narthex.Batch) error { direct++; return nil })
		if err := s.Write(t.Context(), b); err != nil || direct != 1 || b.Queued || len(w.bodies) != n {
			t.Errorf("what must not be overtaken: %v, direct %d, queued %v", err, direct, b.Queued)
		}
	}
	if narthex.KindOf(s.Write(t.Context(), &narthex.Batch{})) != narthex.Invalid {
		t.Error("a batch of no time is queued")
	}
}

// A real queue takes the largest message that is let through.
func TestSinkWithSQS(t *testing.T) {
	sqs := awstest.Session(t, awstest.SQS(t)).SQS()
	url, err := sqs.CreateQueue(t.Context(), "log", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &queue.Sink{SQS: sqs, URL: url}
	r := rand.New(rand.NewPCG(1, 2))
	var names []string
	for range 20_000 {
		names = append(names, fmt.Sprintf("c%x%x_total", r.Uint64(), r.Uint64()))
	}
	if err := s.Write(t.Context(), batch(t, "id", narthex.AsDelta, names...)); err != nil {
		t.Fatal(err)
	}
	list, err := sqs.ReceiveMessage(t.Context(), url, aws.ReceiveOptions{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if e, err := queue.Decode(list[0].Body); err != nil || e.ID != ledger.NewID("me", "id") {
		t.Errorf("received %+v, %v", e, err)
	}
}

func TestFold(t *testing.T) {
	mem, w := new(state.Memory), new(wire)
	away := false
	s := shards(t, mem, narthex.SinkFunc(func(context.Context, *narthex.Batch) error {
		if away {
			return errors.New("away")
		}
		return nil
	}))
	sink := &queue.Sink{SQS: w}
	old := batch(t, "old", narthex.AsDelta, "a_total")
	old.Received = time.Now().Add(-25 * time.Hour)
	for _, b := range []*narthex.Batch{
		batch(t, "one", narthex.AsDelta, "a_total", "b_total"),
		batch(t, "two", narthex.AsGauge, "a_total", "g"), // a_total is a counter
		old,
		batch(t, "sample", narthex.AsSample, "s"),
	} {
		if err := sink.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	list := append(w.messages(), queue.Message{ID: "poison", Body: "narthex1:" + "AAAA"})
	away = true
	if got := ids(queue.Fold(t.Context(), s, nil, 0, list)); !slices.Equal(got, []string{"3", "poison"}) {
		t.Errorf("failed: %v, want the sample and the poison", got)
	}
	away = false
	if got := ids(queue.Fold(t.Context(), s, nil, 0, append(list, list...))); !slices.Equal(got, []string{"poison", "poison"}) {
		t.Errorf("failed: %v, want the poison", got)
	}
	if n := s.Stats(); n.Entries != 2 || n.SinkErrors != 1 {
		t.Errorf("counted: %+v", n)
	}
	for id, want := range map[string]struct {
		rejected int
		refused  bool
	}{"one": {0, false}, "two": {1, false}, "old": {1, true}, "sample": {0, false}} {
		o, ok, err := s.Lookup(t.Context(), "me", id)
		if err != nil || !ok || o.Refused != want.refused || len(o.Rejected) < want.rejected || want.rejected == 0 && len(o.Rejected) > 0 {
			t.Errorf("%s: %+v %v %v", id, o, ok, err)
		}
	}
	if queue.Fold(t.Context(), s, nil, 0, nil) != nil {
		t.Error("nothing failed")
	}
}

func ids(list []queue.Failure) (out []string) {
	for _, f := range list {
		out = append(out, f.ID)
	}
	slices.Sort(out)
	return out
}

func FuzzDecode(f *testing.F) {
	w := new(wire)
	b := &narthex.Batch{ID: "id", Received: time.UnixMilli(1_800_000_000_000), Series: []narthex.Series{{
		Labels: narthex.Labels{{Name: narthex.MetricName, Value: "a_total"}}, Type: narthex.TypeCounter, As: narthex.AsDelta, Samples: []narthex.Sample{{Value: 1}}}}}
	if err := (&queue.Sink{SQS: w}).Write(f.Context(), b); err != nil {
		f.Fatal(err)
	}
	f.Add(w.bodies[0])
	f.Add("narthex1:")
	f.Add("narthex1:////////////")
	f.Add("narthex2:s3://bucket/key")
	f.Fuzz(func(t *testing.T, body string) {
		if e, err := queue.Decode(body); (e == nil) != (err != nil) {
			t.Errorf("%v and %v", e, err)
		}
	})
}

// counting is a Folder that counts how it is called.
type counting struct{ calls, entries int }

func (c *counting) Fold(_ context.Context, entries []*ledger.Entry) []shard.Result {
	c.calls++
	c.entries += len(entries)
	return make([]shard.Result, len(entries))
}

func (c *counting) Known(context.Context, ledger.ID) (bool, error) { return false, nil }

// Small messages are folded together, large ones are not in memory all at once.
func TestFoldAtOnce(t *testing.T) {
	w := new(wire)
	s := &queue.Sink{SQS: w}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 10 {
		var names []string
		for range 8000 {
			names = append(names, fmt.Sprintf("c%x%x_total", r.Uint64(), r.Uint64()))
		}
		for _, b := range []*narthex.Batch{batch(t, fmt.Sprint("big", i), narthex.AsDelta, names...), batch(t, fmt.Sprint("small", i), narthex.AsDelta, "a_total")} {
			if err := s.Write(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := w.messages()
	var big, small []queue.Message
	for i, m := range all {
		if i%2 == 0 {
			big = append(big, m)
		} else {
			small = append(small, m)
		}
	}
	for _, c := range []struct {
		list           []queue.Message
		atOnce         int
		least, most, n int
	}{{small, 0, 1, 1, 10}, {big, 0, 3, 10, 10}, {all, 0, 3, 10, 20}, {all, 64 << 20, 1, 1, 20}, {small, 1, 10, 10, 10}} {
		f := new(counting)
		if failed := queue.Fold(t.Context(), f, nil, c.atOnce, c.list); failed != nil || f.calls < c.least || f.calls > c.most || f.entries != c.n {
			t.Errorf("%d messages: failed %v, %d calls with %d entries", len(c.list), failed, f.calls, f.entries)
		}
	}
}

// What is too large for a message lies in S3 until it is counted, once, however
// often it is pushed and delivered.
func TestBodies(t *testing.T) {
	s3 := awstest.Session(t, awstest.S3(t)).S3()
	bodies, err := queue.NewBodies(s3, "s3://"+awstest.Bucket+"/bodies/")
	if err != nil {
		t.Fatal(err)
	}
	w := new(wire)
	sink := &queue.Sink{SQS: w, Bodies: bodies}
	r := rand.New(rand.NewPCG(1, 2))
	var names []string
	for range 40_000 {
		names = append(names, fmt.Sprintf("c%x%x_total", r.Uint64(), r.Uint64()))
	}
	push := func(id string, names ...string) {
		t.Helper()
		b := batch(t, id, narthex.AsDelta, names...)
		copy(b.Digest[:], names[0])
		if err := sink.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	objects := func() (n int) {
		for _, err := range s3.All(t.Context(), awstest.Bucket, aws.ListOptions{Prefix: "bodies/"}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	push("big", names...)
	push("small", "a_total")
	push("big", names[1:]...) // another body under its id
	if n := len(w.bodies[0]); n > 100 || objects() != 2 {
		t.Fatalf("the message has %d bytes, and %d objects are there", n, objects())
	}
	s := shards(t, new(state.Memory), narthex.SinkFunc(func(context.Context, *narthex.Batch) error { return nil }))
	list := w.messages()
	if got := ids(queue.Fold(t.Context(), s, nil, 0, list)); !slices.Equal(got, []string{"0", "2"}) {
		t.Errorf("failed without bodies: %v", got)
	}
	if failed := queue.Fold(t.Context(), s, bodies, 0, append(list[:2:2], list...)); failed != nil || objects() != 0 {
		t.Errorf("failed: %v, and %d objects are there", failed, objects())
	}
	if n := s.Stats(); n.Entries != 2 || n.Refused != 1 {
		t.Errorf("counted: %+v", n)
	}
	if failed := queue.Fold(t.Context(), s, bodies, 0, list); failed != nil {
		t.Errorf("delivered again: %v", failed)
	}
	push("lost", names...)
	for o, err := range s3.All(t.Context(), awstest.Bucket, aws.ListOptions{Prefix: "bodies/"}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := s3.Delete(t.Context(), awstest.Bucket, o.Key); err != nil {
			t.Fatal(err)
		}
	}
	failed := queue.Fold(t.Context(), s, bodies, 0, append(w.messages()[3:], queue.Message{ID: "forged", Body: "narthex1@../../other"}))
	if len(failed) != 2 || !strings.Contains(failed[0].Err.Error(), "the push is lost") || !strings.Contains(failed[1].Err.Error(), "none of narthex's") {
		t.Errorf("failed: %v", failed)
	}
	for _, address := range []string{"bucket", "s3://", "dynamodb://x"} {
		if _, err := queue.NewBodies(s3, address); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}
