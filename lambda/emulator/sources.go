package emulator

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"time"
)

// Schedule is an EventBridge rule that invokes a function at a rate, on the grid
// of the clock.
type Schedule struct {
	Function *Function
	// Every is the rate. EventBridge's own smallest is a minute.
	Every time.Duration
	Rule  string // its name; "" is "tick"
}

// Run invokes the function until the context is done, and returns when what is
// under way has ended. A tick does not wait for the one before.
func (s *Schedule) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		next := time.Now().Truncate(s.Every).Add(s.Every)
		if sleep(ctx, time.Until(next)) != nil {
			return
		}
		running.Go(func() {
			_, _ = s.Function.Deliver(ctx, s.Event(next)) // its report tells
		})
	}
}

// Event returns the event of a moment.
//
// Source: "Creating an EventBridge rule that runs on a schedule".
func (s *Schedule) Event(at time.Time) []byte {
	region, rule := "us-east-1", s.Rule
	if s.Function != nil {
		region = s.Function.o.Region
	}
	if rule == "" {
		rule = "tick"
	}
	return marshal(map[string]any{
		"version": "0", "id": newID(), "detail-type": "Scheduled Event", "source": "aws.events", "account": Account,
		"time": at.UTC().Format(time.RFC3339), "region": region,
		"resources": []string{"arn:aws:events:" + region + ":" + Account + ":rule/" + rule}, "detail": map[string]any{},
	})
}

// Object is an object in S3 that was created.
type Object struct {
	Bucket, Key, ETag string
	Size              int64
	Time              time.Time
}

// Event returns what S3 notifies a function of.
//
// Source: "Event message structure", Amazon S3 User Guide.
func (o Object) Event(region string) []byte {
	return marshal(map[string]any{"Records": []any{map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": region, "eventTime": timestamp(o.Time), "eventName": "ObjectCreated:Put",
		"userIdentity":      map[string]string{"principalId": "AWS:AIDAEMULATOR"},
		"requestParameters": map[string]string{"sourceIPAddress": "127.0.0.1"},
		"responseElements":  map[string]string{"x-amz-request-id": randomHex(8), "x-amz-id-2": randomHex(16)},
		"s3": map[string]any{
			"s3SchemaVersion": "1.0", "configurationId": "emulator",
			"bucket": map[string]any{"name": o.Bucket, "ownerIdentity": map[string]string{"principalId": "EMULATOR"}, "arn": "arn:aws:s3:::" + o.Bucket},
			"object": map[string]any{"key": url.QueryEscape(o.Key), "size": o.Size, "eTag": o.ETag, "sequencer": randomHex(8)},
		},
	}}})
}

// marshal writes maps of text and numbers, which can't fail.
func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
