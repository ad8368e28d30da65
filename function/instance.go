package function

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"narthex"
	"narthex/app"
	"narthex/config"
	"narthex/internal/aws"
	"narthex/lambda"
	"narthex/ledger"
	"narthex/queue"
	"narthex/shard"
	"narthex/state"
)

// instance is what a configuration makes of one instance of the function.
type instance struct {
	o            Options
	c            *config.Config
	logger       *slog.Logger
	memory       int // that the function has, in bytes
	access       *app.Access
	destinations []app.Destination
	http         http.Handler
	pushSink     narthex.Sink // where pushes go, before limits
	told         *telemetry   // nil if nothing is told
	ticks        schedule
	folds        atomic.Bool // it adds to the ledger, or ticks
	probes       *probes     // nil without the role

	mu     sync.Mutex
	shards *shard.Shards // opened at first use
	aws    *aws.Session  // the same
}

// newInstance makes what the configuration says. It does not touch the network.
func newInstance(c *config.Config, o Options) (n *instance, err error) {
	n = &instance{o: o, c: c, logger: o.Logger, memory: lambda.Memory(o.Getenv)}
	if n.access, err = app.NewAccess(c, app.AccessOptions{Caller: caller, Logger: o.Logger, Now: o.Now}); err != nil {
		return nil, err
	}
	if n.destinations, err = app.Destinations(c, o.Version, o.Logger); err != nil {
		return nil, err
	}
	for _, s := range c.Logs {
		if err := app.SourceOptions(c, s).Check(); err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
	}
	if n.hasProbes() {
		if err := n.newProbes(); err != nil {
			return nil, err
		}
	}
	if n.http, err = n.routes(); err == nil {
		n.told = newTelemetry(n, o.Now().Sub(o.started))
	}
	return n, err
}

// function gives the instance its roles.
func (n *instance) function() *lambda.Function {
	f := &lambda.Function{HTTP: n.http, Logger: n.logger, RequestID: n.o.RequestID, Done: n.told.end, Commands: make(map[string]lambda.Command)}
	n.setUpProbes(f)
	if n.c.Ledger.State == "" {
		return f
	}
	l := &n.c.Lambda
	f.Commands["regroup"] = n.regroup
	if l.Plays("fold") {
		f.Queue = n.fold
	}
	if l.Plays("logs") {
		n.setUpLogs(f)
	}
	if l.Plays("tick") {
		f.Commands["tick"], f.Commands["schedule"] = n.withProbes(n.tick), n.withProbes(n.minute)
		f.Scheduled = append(f.Scheduled, "tick")
	}
	return f
}

// broken is the function while its configuration is wrong: it takes nothing, so
// that all who have something keep it.
func broken(err error, o Options) *lambda.Function {
	err = narthex.Errorf(narthex.Unavailable, "the function's configuration is wrong or can't be had: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	fail := func(context.Context) error { return err }
	return &lambda.Function{
		Logger: o.Logger, RequestID: o.RequestID, HTTP: brokenRoutes(err),
		Queue: func(ctx context.Context, messages []lambda.Message) (failed []string) {
			for _, m := range messages {
				failed = append(failed, m.ID)
			}
			return failed
		},
		Object:     func(ctx context.Context, _ lambda.Object) error { return fail(ctx) },
		CloudWatch: func(ctx context.Context, _ []byte) error { return fail(ctx) },
		Commands:   map[string]lambda.Command{"tick": func(ctx context.Context, _ json.RawMessage) (any, error) { return nil, fail(ctx) }},
	}
}

// session returns AWS, as the environment names it.
func (n *instance) session() (*aws.Session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.aws != nil {
		return n.aws, nil
	}
	s, err := aws.Open(aws.Options{})
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	n.aws = s
	return s, nil
}

// ledger returns the ledger, which it opens if that has not been done.
func (n *instance) ledger(ctx context.Context) (*shard.Shards, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.shards != nil:
		return n.shards, nil
	case n.c.Ledger.State == "":
		return nil, narthex.Errorf(narthex.Unavailable, "this function has no ledger.state: another one has the totals")
	}
	store, err := state.Open(ctx, n.c.Ledger.State, state.Options{})
	if err != nil {
		return nil, narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	destinations := make(map[string]narthex.Sink)
	for _, d := range n.destinations {
		destinations[d.Name] = d.Sink
	}
	n.shards, err = shard.Open(ctx, shard.Options{
		Store: store, Groups: n.c.Lambda.Groups, Policy: n.policy(), Destinations: destinations, Logger: n.logger, Now: n.o.Now,
		OpenIDs: n.openIDs(), CacheBytes: n.memory / decoded / 4, WorkBytes: n.memory / decoded / 4,
	})
	return n.shards, err
}

// opened returns the ledger if it has been opened.
func (n *instance) opened() *shard.Shards {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.shards
}

// policy is when the ledger writes what it knows.
func (n *instance) policy() ledger.Policy {
	l := &n.c.Ledger
	return ledger.Policy{
		Interval: n.c.Tick(), Settle: l.Settle, Heartbeat: l.Heartbeat, Idle: l.Idle, Forget: l.Forget, Horizon: l.Horizon,
		MaxSeries: n.c.Limits.Series,
	}
}

// decoded is about how many times its size a state takes in memory.
const decoded = 12

// atOnce returns how many bytes of messages are folded at a time: as many as a small
// part of the memory has room for once they are unpacked. Each time costs a read and a
// write of all groups.
func (n *instance) atOnce() int { return max(queue.AtOnce, n.memory/128) }

// openIDs returns how many ids a group is saved with: few where a value is small
// and each KiB of it costs.
func (n *instance) openIDs() int {
	if strings.HasPrefix(n.c.Ledger.State, "dynamodb:") {
		return 512
	}
	return 0
}

// maxLogged is how many messages of a batch have a line in the log.
const maxLogged = 10

// fold counts what a batch of the queue holds.
func (n *instance) fold(ctx context.Context, messages []lambda.Message) (failed []string) {
	failures, err := n.foldAll(ctx, messages)
	if err != nil {
		n.logger.ErrorContext(ctx, "a batch can't be folded", "err", err)
		for _, m := range messages {
			failed = append(failed, m.ID)
		}
	}
	for i, f := range failures {
		if i < maxLogged {
			n.logger.ErrorContext(ctx, "a message is not folded", "message_id", f.ID, "err", f.Err)
		}
		failed = append(failed, f.ID)
	}
	n.told.messages(messages, len(failed))
	return failed
}

func (n *instance) foldAll(ctx context.Context, messages []lambda.Message) ([]queue.Failure, error) {
	l, err := n.ledger(ctx)
	if err != nil {
		return nil, err
	}
	n.folds.Store(true)
	bodies, err := n.bodies()
	if err != nil {
		return nil, err
	}
	list := make([]queue.Message, len(messages))
	for i, m := range messages {
		list[i] = queue.Message{ID: m.ID, Body: m.Body}
	}
	return queue.Fold(ctx, l, bodies, n.atOnce(), list), nil
}

// bodies returns where pushes are that are too large for a message, nil if there
// is no such place.
func (n *instance) bodies() (*queue.Bodies, error) {
	if n.c.Lambda.Bodies == "" {
		return nil, nil
	}
	session, err := n.session()
	if err != nil {
		return nil, err
	}
	return queue.NewBodies(session.S3(), n.c.Lambda.Bodies)
}
