package aws

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const (
	// MaxBatch is how many messages SQS takes or gives at a time.
	MaxBatch = 10
	// receiveLimit bounds what ten messages of a MiB each are as JSON, in bytes.
	receiveLimit = 64 << 20
	receiptLimit = 1 << 20 // bounds any other answer, in bytes
)

// SQS sends and receives messages. A queue is named by its URL.
type SQS struct{ client }

// SQS returns the region's SQS.
func (s *Session) SQS() *SQS { return &SQS{s.client("sqs")} }

// SendMessage is a message to send.
type SendMessage struct {
	Body    string        // XML's characters only: base64 if it may hold others
	Delay   time.Duration // up to 15 min, whole seconds
	Group   string        // of a FIFO queue
	DedupID string        // of a FIFO queue
}

// Message is a message received.
type Message struct {
	ID       string
	Receipt  string // to delete it by
	Body     string
	Received int       // how often it was received, with this time
	Sent     time.Time // to the millisecond
	Group    string    // of a FIFO queue
}

// ReceiveOptions say what to receive.
type ReceiveOptions struct {
	Max        int           // messages; 0 is 1, up to 10
	Wait       time.Duration // for one to arrive, up to 20 s
	Visibility time.Duration // until others see them again; 0 is the queue's
}

// BatchError is a message of a batch that failed while others did not.
type BatchError struct {
	Index   int // of the message in what was sent
	Code    string
	Message string
	Sender  bool // it will fail again
}

// Error says which and why.
func (e BatchError) Error() string {
	return fmt.Sprintf("message %d: %s %s", e.Index, e.Code, e.Message)
}

func (s *SQS) call(ctx context.Context, op, queue string, in map[string]any, out any) error {
	in["QueueUrl"] = queue
	return s.json(ctx, jsonCall{target: "AmazonSQS", op: op, resource: queue, in: in, out: out, limit: receiptLimit})
}

// GetQueueURL returns the address of a queue by its name.
func (s *SQS) GetQueueURL(ctx context.Context, name string) (string, error) {
	var out struct{ QueueURL string }
	err := s.json(ctx, jsonCall{target: "AmazonSQS", op: "GetQueueUrl", resource: name, in: map[string]any{"QueueName": name}, out: &out, limit: receiptLimit})
	return out.QueueURL, err
}

// CreateQueue makes a queue and returns its address, for tests and trials.
func (s *SQS) CreateQueue(ctx context.Context, name string, attributes map[string]string) (string, error) {
	var out struct{ QueueURL string }
	in := map[string]any{"QueueName": name}
	if len(attributes) > 0 {
		in["Attributes"] = attributes
	}
	err := s.json(ctx, jsonCall{target: "AmazonSQS", op: "CreateQueue", resource: name, in: in, out: &out, limit: receiptLimit})
	return out.QueueURL, err
}

// SendMessage sends a message and returns its ID. Once it returns nil the
// message is durable. A message may be sent twice if an answer is lost.
func (s *SQS) SendMessage(ctx context.Context, queue string, m SendMessage) (id string, err error) {
	var out struct{ MessageID string }
	err = s.call(ctx, "SendMessage", queue, m.fields(), &out)
	if err == nil && out.MessageID == "" {
		err = fmt.Errorf("sqs SendMessage %s: the answer has no message id", queue)
	}
	return out.MessageID, err
}

func (m SendMessage) fields() map[string]any {
	f := map[string]any{"MessageBody": m.Body}
	if m.Delay > 0 {
		f["DelaySeconds"] = int(m.Delay / time.Second)
	}
	if m.Group != "" {
		f["MessageGroupId"] = m.Group
	}
	if m.DedupID != "" {
		f["MessageDeduplicationId"] = m.DedupID
	}
	return f
}

// SendMessageBatch sends up to [MaxBatch] messages, and returns those that
// failed: any that SQS does not say it has taken.
func (s *SQS) SendMessageBatch(ctx context.Context, queue string, list []SendMessage) ([]BatchError, error) {
	entries := make([]map[string]any, 0, len(list))
	for _, m := range list {
		entries = append(entries, m.fields())
	}
	return s.batch(ctx, "SendMessageBatch", queue, entries)
}

// DeleteMessage deletes a message by its receipt.
func (s *SQS) DeleteMessage(ctx context.Context, queue, receipt string) error {
	return s.call(ctx, "DeleteMessage", queue, map[string]any{"ReceiptHandle": receipt}, nil)
}

// DeleteMessageBatch deletes up to [MaxBatch] messages, and returns those that
// are not.
func (s *SQS) DeleteMessageBatch(ctx context.Context, queue string, receipts []string) ([]BatchError, error) {
	entries := make([]map[string]any, 0, len(receipts))
	for _, r := range receipts {
		entries = append(entries, map[string]any{"ReceiptHandle": r})
	}
	return s.batch(ctx, "DeleteMessageBatch", queue, entries)
}

// ChangeMessageVisibility sets for how long, from now, nobody else sees a
// message; 0 gives it back.
func (s *SQS) ChangeMessageVisibility(ctx context.Context, queue, receipt string, d time.Duration) error {
	return s.call(ctx, "ChangeMessageVisibility", queue, map[string]any{"ReceiptHandle": receipt, "VisibilityTimeout": int(d / time.Second)}, nil)
}

func (s *SQS) batch(ctx context.Context, op, queue string, entries []map[string]any) ([]BatchError, error) {
	if len(entries) == 0 || len(entries) > MaxBatch {
		return nil, fmt.Errorf("sqs %s: a batch has 1 to %d messages, this one %d", op, MaxBatch, len(entries))
	}
	for i, e := range entries {
		e["Id"] = strconv.Itoa(i)
	}
	var out struct {
		Successful []struct{ ID string }
		Failed     []struct {
			ID, Code, Message string
			SenderFault       bool
		}
	}
	if err := s.call(ctx, op, queue, map[string]any{"Entries": entries}, &out); err != nil {
		return nil, err
	}
	done := make([]bool, len(entries))
	for _, x := range out.Successful {
		if i, err := strconv.Atoi(x.ID); err == nil && i >= 0 && i < len(done) {
			done[i] = true
		}
	}
	why := make(map[string]BatchError, len(out.Failed))
	for _, x := range out.Failed {
		why[x.ID] = BatchError{Code: short(x.Code), Message: short(x.Message), Sender: x.SenderFault}
	}
	var failed []BatchError
	for i := range entries {
		if done[i] {
			continue
		}
		e, told := why[strconv.Itoa(i)]
		if !told {
			e = BatchError{Code: "NotConfirmed", Message: "the answer does not mention it"}
		}
		e.Index = i
		failed = append(failed, e)
	}
	return failed, nil
}

// ReceiveMessage receives messages, none if none arrives in time.
func (s *SQS) ReceiveMessage(ctx context.Context, queue string, o ReceiveOptions) ([]Message, error) {
	in := map[string]any{
		"QueueUrl": queue, "MaxNumberOfMessages": max(o.Max, 1), "WaitTimeSeconds": int(o.Wait / time.Second),
		"MessageSystemAttributeNames": []string{"ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"},
	}
	if o.Visibility > 0 {
		in["VisibilityTimeout"] = int(o.Visibility / time.Second)
	}
	var out struct {
		Messages []struct {
			MessageID, ReceiptHandle, Body string
			Attributes                     map[string]string
		}
	}
	err := s.json(ctx, jsonCall{target: "AmazonSQS", op: "ReceiveMessage", resource: queue, in: in, out: &out, limit: receiveLimit, wait: o.Wait})
	if err != nil {
		return nil, err
	}
	list := make([]Message, 0, len(out.Messages))
	for _, m := range out.Messages {
		x := Message{ID: m.MessageID, Receipt: m.ReceiptHandle, Body: m.Body, Group: m.Attributes["MessageGroupId"]}
		x.Received, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
		if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
			x.Sent = time.UnixMilli(ms)
		}
		list = append(list, x)
	}
	return list, nil
}
