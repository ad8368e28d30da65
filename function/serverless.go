package function

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"narthex"
	"narthex/internal/aws"
	"narthex/lambda"
	"narthex/ledger"
	"narthex/queue"
	"narthex/remotewrite"
	"narthex/shard"
	"narthex/state"
)

// serverless is a ledger in a store, and the queue before it.
type serverless struct {
	settings
	logger *slog.Logger
	memory int   // that the function has, in bytes
	broken error // what is wrong with the settings

	mu     sync.Mutex
	shards *shard.Shards // opened at first use
}

func newServerless(getenv func(string) string, logger *slog.Logger) *serverless {
	s := &serverless{logger: logger, memory: Memory(getenv)}
	if s.settings, s.broken = readSettings(getenv); s.broken != nil {
		logger.Error("the settings are wrong, and nothing is taken", "err", s.broken)
	}
	return s
}

// setUp gives the function its roles.
func (s *serverless) setUp(f *lambda.Function) {
	f.HTTP = s.routes()
	if s.state == "" && s.broken == nil {
		return
	}
	f.Queue = s.fold
	s.setUpLogs(f)
	f.Commands = map[string]lambda.Command{"tick": s.tick, "regroup": s.regroup}
}

// ledger returns the ledger, which it opens if that has not been done.
func (s *serverless) ledger(ctx context.Context) (*shard.Shards, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shards != nil:
		return s.shards, nil
	case s.broken != nil:
		return nil, narthex.Errorf(narthex.Unavailable, "the function's settings are wrong: %w", s.broken)
	case s.state == "":
		return nil, narthex.Errorf(narthex.Unavailable, "this function has no NARTHEX_STATE: another one has the totals")
	}
	store, err := state.Open(ctx, s.state, state.Options{})
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	destinations := make(map[string]narthex.Sink)
	if s.remoteWrite != "" {
		if destinations["remote_write"], err = s.destination(); err != nil {
			return nil, narthex.Errorf(narthex.Unavailable, "NARTHEX_REMOTE_WRITE_URL: %w", err)
		}
	}
	s.shards, err = shard.Open(ctx, shard.Options{
		Store: store, Groups: s.groups, Policy: ledger.Policy{Interval: s.interval}, Destinations: destinations, Logger: s.logger,
		OpenIDs: s.openIDs(), CacheBytes: s.memory / decoded / 4, WorkBytes: s.memory / decoded / 4,
	})
	return s.shards, err
}

// decoded is about how many times its size a state takes in memory.
const decoded = 12

// openIDs returns how many ids a group is saved with: few where a value is small
// and each KiB of it costs.
func (s *serverless) openIDs() int {
	if strings.HasPrefix(s.state, "dynamodb:") {
		return 512
	}
	return 0
}

// destination returns what writes samples out.
func (s *serverless) destination() (narthex.Sink, error) {
	o := remotewrite.Options{URL: s.remoteWrite, Logger: s.logger}
	if s.authorization != "" {
		o.Headers = map[string]string{"Authorization": s.authorization}
	}
	if s.region != "" {
		session, err := aws.Open(aws.Options{Region: s.region})
		if err != nil {
			return nil, err
		}
		o.Transport = session.Transport("aps", nil)
	}
	return remotewrite.New(o)
}

// fold counts what a batch of the queue holds.
func (s *serverless) fold(ctx context.Context, messages []lambda.Message) (failed []string) {
	l, err := s.ledger(ctx)
	if err != nil {
		s.logger.ErrorContext(ctx, "a batch can't be folded", "err", err)
		for _, m := range messages {
			failed = append(failed, m.ID)
		}
		return failed
	}
	list := make([]queue.Message, len(messages))
	for i, m := range messages {
		list[i] = queue.Message(m)
	}
	for i, f := range queue.Fold(ctx, l, list) {
		if i < maxLogged {
			s.logger.ErrorContext(ctx, "a message is not folded", "message_id", f.ID, "err", f.Err)
		}
		failed = append(failed, f.ID)
	}
	return failed
}

// maxLogged is how many messages of a batch have a line in the log.
const maxLogged = 10

// ticked is what the command tick answers.
type ticked struct {
	Groups  int    `json:"groups"`
	Samples uint64 `json:"samples"` // written, those that were written again included
	Resent  uint64 `json:"resent"`  // of those
}

// tick scrapes the ledger and writes what is due.
func (s *serverless) tick(ctx context.Context, _ json.RawMessage) (any, error) {
	l, err := s.ledger(ctx)
	if err != nil {
		return nil, err
	}
	before := l.Stats()
	err = l.Tick(ctx)
	after := l.Stats()
	return ticked{l.Groups(), after.Samples - before.Samples, after.Resent - before.Resent}, err
}

// regroup spreads the totals over another number of values of the store.
func (s *serverless) regroup(ctx context.Context, event json.RawMessage) (any, error) {
	var want struct{ Groups int }
	if err := json.Unmarshal(event, &want); err != nil || want.Groups == 0 {
		return nil, narthex.Errorf(narthex.Invalid, `say how many groups there are to be: {"narthex": "regroup", "groups": 16}`)
	}
	l, err := s.ledger(ctx)
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

// Memory returns what the function has, in bytes: 128 MiB, the least there is, if
// Lambda does not say.
func Memory(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	if err != nil || n < 128 {
		n = 128
	}
	return n << 20
}
