package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"narthex"
)

// parseCloudWatch returns what a subscription of CloudWatch Logs sent, still
// compressed, false if the event is something else.
//
// Source: "Log group-level subscription filters", Amazon CloudWatch Logs User
// Guide.
func parseCloudWatch(event []byte) (data []byte, ok bool, err error) {
	var e struct {
		Logs *struct {
			Data string `json:"data"`
		} `json:"awslogs"`
	}
	err = json.Unmarshal(event, &e) // a wrong type does not end the decoding
	if e.Logs == nil {
		return nil, false, nil
	}
	if err == nil {
		data, err = base64.StdEncoding.DecodeString(e.Logs.Data)
	}
	if err != nil {
		return nil, false, narthex.Errorf(narthex.Invalid, "a CloudWatch Logs event is malformed: %w", err)
	}
	return data, true, nil
}

// answerCloudWatch has a subscription's message taken. An error has CloudWatch
// Logs deliver it again.
func (f *Function) answerCloudWatch(ctx context.Context, data []byte, l *Invocation) ([]byte, error) {
	l.Event = "awslogs"
	r, ok := within(ctx, func(ctx context.Context) error {
		var err error
		if bad := f.guarded(ctx, l.RequestID, func() { err = f.CloudWatch(ctx, data) }); bad != nil {
			return bad
		}
		return err
	})
	if !ok {
		return nil, narthex.Errorf(narthex.Unavailable, "the function's time was up before the CloudWatch Logs message was read: give it a longer timeout")
	}
	if r != nil {
		return nil, r
	}
	return []byte("{}"), nil
}
