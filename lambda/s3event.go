package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"narthex"
)

// Object is an object in S3 that was created.
type Object struct {
	Bucket, Key string
	ETag        string    // "" if the event does not tell
	Size        int64     // bytes
	Time        time.Time // when it was created; zero if the event does not tell
}

// s3Event is what S3 sends, as far as it is used here: by itself, as the message
// of SNS, or, of another shape, through EventBridge. Any member that a later
// version of it adds is passed over.
//
// Source: "Event message structure" and "EventBridge event message structure",
// Amazon S3 User Guide.
type s3Event struct {
	Event   string `json:"Event"` // s3:TestEvent
	Records []struct {
		EventSource string    `json:"eventSource"` // aws:s3, and SNS's own aws:sns
		EventName   string    `json:"eventName"`
		EventTime   time.Time `json:"eventTime"`
		S3          struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key  string `json:"key"` // encoded as in a query
				Size int64  `json:"size"`
				ETag string `json:"eTag"`
			} `json:"object"`
		} `json:"s3"`
		SNS struct {
			Message string `json:"Message"`
		} `json:"Sns"`
	} `json:"Records"`

	// Of EventBridge.
	Source     string    `json:"source"`
	DetailType string    `json:"detail-type"`
	Time       time.Time `json:"time"`
	Detail     struct {
		Bucket struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key  string `json:"key"` // as it is
			Size int64  `json:"size"`
			ETag string `json:"etag"`
		} `json:"object"`
	} `json:"detail"`

	// Of SNS, where SQS lies behind it.
	Type    string `json:"Type"`
	Message string `json:"Message"`
}

// maxWrapped is how many envelopes may be around an event.
const maxWrapped = 3

// parseObjects returns the objects that an event tells of, false if it is
// something else than a notification of S3. A test event, or one of objects that
// were deleted, tells of none. The error is of an event that looks like one but
// is not whole.
func parseObjects(event []byte, depth int) (objects []Object, ok bool, err error) {
	var e s3Event
	err = json.Unmarshal(event, &e) // a wrong type does not end the decoding
	switch {
	case depth > maxWrapped:
		return nil, false, nil
	case e.Event == "s3:TestEvent":
		return nil, true, nil
	case e.Source == "aws.s3" && strings.HasPrefix(e.DetailType, "Object "):
		if e.DetailType != "Object Created" {
			return nil, true, nil
		}
		d := &e.Detail
		objects = []Object{{d.Bucket.Name, d.Object.Key, d.Object.ETag, d.Object.Size, e.Time}}
	case e.Type == "Notification" && strings.HasPrefix(strings.TrimSpace(e.Message), "{"):
		return parseObjects([]byte(e.Message), depth+1)
	case len(e.Records) == 0:
		return nil, false, nil
	default:
		for _, r := range e.Records {
			switch {
			case r.EventSource == "aws:sns":
				inner, ok, err := parseObjects([]byte(r.SNS.Message), depth+1)
				if err != nil || !ok {
					return nil, false, err
				}
				objects = append(objects, inner...)
			case r.EventSource != "aws:s3":
				return nil, false, nil
			case !strings.HasPrefix(r.EventName, "ObjectCreated:"):
			default:
				key, bad := url.QueryUnescape(r.S3.Object.Key)
				if bad != nil {
					return nil, false, narthex.Errorf(narthex.Invalid, "an S3 notification is malformed: the key %q is not encoded as in a query", clip(r.S3.Object.Key))
				}
				objects = append(objects, Object{r.S3.Bucket.Name, key, r.S3.Object.ETag, r.S3.Object.Size, r.EventTime})
			}
		}
	}
	if err != nil {
		return nil, false, narthex.Errorf(narthex.Invalid, "an S3 notification is malformed: %w", err)
	}
	for _, o := range objects {
		if o.Bucket == "" || o.Key == "" {
			return nil, false, narthex.Errorf(narthex.Invalid, "an S3 notification is malformed: it names no bucket or no key")
		}
	}
	return objects, true, nil
}

// answerObjects has the objects taken that an event tells of. An error has Lambda
// deliver the event again; what was taken of it is recognised then.
func (f *Function) answerObjects(ctx context.Context, objects []Object, l *Invocation) ([]byte, error) {
	l.Event, l.objects = "s3", len(objects)
	type result struct{ err error }
	r, ok := within(ctx, func(ctx context.Context) (r result) {
		var err error
		r.err = f.guarded(ctx, l.RequestID, func() { err = f.takeObjects(ctx, objects) })
		if r.err == nil {
			r.err = err
		}
		return r
	})
	if !ok {
		return nil, narthex.Errorf(narthex.Unavailable, "the function's time was up before the event's %d objects were read: give it a longer timeout, or more memory, by which Lambda measures out the processor", len(objects))
	}
	if r.err != nil {
		return nil, r.err
	}
	return []byte("{}"), nil
}

// takeObjects takes each object and returns the first error.
func (f *Function) takeObjects(ctx context.Context, objects []Object) error {
	var first error
	for _, o := range objects {
		if o.Size == 0 && strings.HasSuffix(o.Key, "/") { // what consoles call a folder
			continue
		}
		if err := f.Object(ctx, o); err != nil && first == nil {
			first = fmt.Errorf("s3://%s/%s: %w", clip(o.Bucket), clip(o.Key), err)
		}
	}
	return first
}

// takeJSON takes a message that is a command or a notification of S3, and reports
// whether it is.
func (f *Function) takeJSON(ctx context.Context, body string) (ok bool, err error) {
	if !strings.HasPrefix(strings.TrimSpace(body), "{") {
		return false, nil
	}
	if ok, err = f.takeCommand(ctx, body); ok || err != nil || f.Object == nil {
		return ok, err
	}
	objects, ok, err := parseObjects([]byte(body), 0)
	if err == nil && ok {
		err = f.takeObjects(ctx, objects)
	}
	return ok, err
}

// takeMessages takes the messages of a queue: commands, notifications of S3, and
// whatever Queue takes.
func (f *Function) takeMessages(ctx context.Context, messages []Message) (failed []string) {
	var others []Message
	for _, m := range messages {
		ok, err := f.takeJSON(ctx, m.Body)
		if err == nil && !ok {
			others = append(others, m)
		}
		if err != nil {
			f.logger().ErrorContext(ctx, "a message is not dealt with", "message_id", m.ID, "err", err)
			failed = append(failed, m.ID)
		}
	}
	switch {
	case len(others) == 0:
	case f.Queue != nil:
		failed = append(failed, f.Queue(ctx, others)...)
	default:
		for _, m := range others {
			f.logger().ErrorContext(ctx, "a message is nothing that this function takes", "message_id", m.ID)
			failed = append(failed, m.ID)
		}
	}
	return failed
}
