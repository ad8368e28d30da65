package lambda

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"narthex"
)

// Command is something that the function can be told to do. event is the whole
// event, which may have more fields than "narthex", such as what is to be done
// with what. The answer is what a direct invocation gets, as JSON.
type Command func(ctx context.Context, event json.RawMessage) (answer any, err error)

// scheduleCommand is what the event of a rule stands for.
const scheduleCommand = "schedule"

// parseCommand returns the command that the event is, and the kind of event:
// "schedule" for the scheduled event of an EventBridge rule, "direct" for a
// JSON object with "narthex", "" for anything else.
//
// Source: "Using Amazon EventBridge Scheduler", "Creating an EventBridge rule
// that runs on a schedule".
func parseCommand(event []byte) (name, kind string) {
	var e struct {
		Narthex    string `json:"narthex"`
		Source     string `json:"source"`
		DetailType string `json:"detail-type"`
	}
	if json.Unmarshal(event, &e) != nil {
		return "", ""
	}
	switch {
	case e.Narthex != "":
		return e.Narthex, "direct"
	case e.Source == "aws.events" && e.DetailType == "Scheduled Event":
		return scheduleCommand, "schedule"
	}
	return "", ""
}

// answerCommand does what the event asks for.
func (f *Function) answerCommand(ctx context.Context, name string, event []byte) ([]byte, error) {
	do, ok := f.Commands[name]
	if !ok {
		var known []string
		for _, name := range slices.Sorted(maps.Keys(f.Commands)) {
			known = append(known, strconv.Quote(name))
		}
		return nil, narthex.Errorf(narthex.Invalid, "the command %q is not known to this function: it knows %s", clip(name), strings.Join(known, ", "))
	}
	type result struct {
		answer any
		err    error
	}
	r, ok := within(ctx, func(ctx context.Context) (r result) {
		if err := f.guarded(ctx, "", func() { r.answer, r.err = do(ctx, event) }); err != nil {
			r.err = err
		}
		return r
	})
	switch {
	case !ok:
		return nil, narthex.Errorf(narthex.Unavailable, "the function's time was up before the command %q was done: give it a longer timeout", clip(name))
	case r.err != nil:
		return nil, r.err
	}
	text, err := json.Marshal(r.answer)
	if err == nil && len(text) > maxResponse {
		err = narthex.Errorf(narthex.TooLarge, "the answer to the command %q has %d bytes, and Lambda takes %d", clip(name), len(text), maxResponse)
	}
	return text, err
}

// takeCommand does what a message of a queue asks for, and reports whether it
// asks for something that a queue may.
func (f *Function) takeCommand(ctx context.Context, body string) (ok bool, err error) {
	name, kind := parseCommand([]byte(body))
	if kind != "direct" || !slices.Contains(f.Scheduled, name) || f.Commands[name] == nil {
		return false, nil
	}
	_, err = f.Commands[name](ctx, json.RawMessage(body))
	return true, err
}
