package function

import (
	"context"
	"encoding/json"

	"narthex"
)

// ticked is what the command tick answers.
type ticked struct {
	Groups  int    `json:"groups"`
	Samples uint64 `json:"samples"` // written, those that were written again included
	Resent  uint64 `json:"resent"`  // of those
}

// tick scrapes the ledger and writes what is due.
func (n *instance) tick(ctx context.Context, _ json.RawMessage) (any, error) {
	l, err := n.ledger(ctx)
	if err != nil {
		return nil, err
	}
	before := l.Stats()
	err = l.Tick(ctx)
	after := l.Stats()
	return ticked{l.Groups(), after.Samples - before.Samples, after.Resent - before.Resent}, err
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
