package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"narthex"
	"narthex/ledger"
)

// stuck is a store whose first sample hangs until it is let go, and is then
// refused for now.
type stuck struct {
	*store
	once    sync.Once
	came    chan struct{}
	release chan struct{}
}

func (s *stuck) Write(ctx context.Context, b *narthex.Batch) (err error) {
	first := false
	s.once.Do(func() { first = true })
	if first {
		close(s.came)
		<-s.release
		return errors.New("the connection was cut")
	}
	return s.store.Write(ctx, b)
}

// A sender that is cut off sends the same again, is told that it is known, and
// goes on with the next sample: that one must not arrive before the first, which a
// store without a window would then refuse.
func TestNoSampleOvertakes(t *testing.T) {
	c := &clock{now: epoch}
	s := &stuck{store: newStore(t), came: make(chan struct{}), release: make(chan struct{})}
	o := options(t, t.TempDir(), nil, c)
	o.Sink = s
	l, err := ledger.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	at := c.Now().UnixMilli()
	push := func(id string, value float64, ms int64) error {
		return l.Write(context.Background(), &narthex.Batch{ID: id, Received: c.Now(), Series: []narthex.Series{sample(t, "own", value, ms)}})
	}
	var writing sync.WaitGroup
	writing.Go(func() { push("first", 1, at) })
	<-s.came
	if err := push("first", 1, at); err != nil {
		t.Fatal(err) // it is known, and durable
	}
	begun := make(chan struct{})
	writing.Go(func() { close(begun); push("second", 2, at+1) })
	<-begun
	poll(t, "the second is durable", func() bool { _, ok := l.Lookup("", "second"); return ok })
	if got := s.last("own"); got == 2 {
		t.Error("the second sample has overtaken the first")
	}
	close(s.release)
	writing.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.last("own"); got == 2 {
		t.Error("the second sample has overtaken the first, which waits in the outbox")
	}
}
