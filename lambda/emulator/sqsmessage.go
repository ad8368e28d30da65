package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxEntries is how many messages a batch may have.
const maxEntries = 10

// act does what a request asks of a queue's messages.
func (q *Queue) act(r *http.Request, op string, in *sqsRequest) (any, error) {
	switch op {
	case "SendMessage":
		m, err := q.take(in.MessageBody, in.DelaySeconds, in.MessageAttributes)
		if err != nil {
			return nil, err
		}
		return map[string]string{"MessageId": m.id, "MD5OfMessageBody": m.sum}, nil
	case "ReceiveMessage":
		return q.receive(r, in)
	case "DeleteMessage":
		return nil, q.discard(in.ReceiptHandle)
	case "ChangeMessageVisibility":
		return nil, q.delay(in.ReceiptHandle, in.VisibilityTimeout)
	case "SendMessageBatch":
		size := 0
		for _, e := range in.Entries {
			size += len(e.MessageBody)
		}
		if size > MaxMessage {
			return nil, &sqsError{"BatchRequestTooLong", fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", MaxMessage, size)}
		}
		return eachEntry(in.Entries, func(e sqsEntry) (map[string]string, error) {
			m, err := q.take(e.MessageBody, e.DelaySeconds, e.MessageAttributes)
			if err != nil {
				return nil, err
			}
			return map[string]string{"MessageId": m.id, "MD5OfMessageBody": m.sum}, nil
		})
	case "DeleteMessageBatch":
		return eachEntry(in.Entries, func(e sqsEntry) (map[string]string, error) { return map[string]string{}, q.discard(e.ReceiptHandle) })
	case "ChangeMessageVisibilityBatch":
		return eachEntry(in.Entries, func(e sqsEntry) (map[string]string, error) {
			return map[string]string{}, q.delay(e.ReceiptHandle, e.VisibilityTimeout)
		})
	}
	return nil, &sqsError{"InvalidAction", "The action " + strconv.Quote(op) + " is not emulated."}
}

// take checks a message and sends it.
func (q *Queue) take(body string, delay *int, attributes json.RawMessage) (*message, error) {
	q.mu.Lock()
	most, _ := strconv.Atoi(q.attributes["MaximumMessageSize"]) // checked when it was set
	q.mu.Unlock()
	wait := time.Duration(-1)
	if delay != nil {
		if *delay < 0 || *delay > 900 {
			return nil, invalid("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *delay)
		}
		wait = time.Duration(*delay) * time.Second
	}
	switch {
	case body == "":
		return nil, &sqsError{"MissingParameter", "The request must contain the parameter MessageBody."}
	case len(body) > most:
		return nil, invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", most)
	case !isXML(body):
		return nil, &sqsError{"InvalidMessageContents", "Invalid characters found in the message."}
	}
	return q.send(body, wait, attributes), nil
}

// isXML reports whether a text has only characters that SQS takes.
func isXML(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return utf8.ValidString(s)
}

// receive answers ReceiveMessage.
func (q *Queue) receive(r *http.Request, in *sqsRequest) (any, error) {
	most, err := within("MaxNumberOfMessages", in.MaxNumberOfMessages, 1, 1, maxEntries)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	standard := q.seconds("ReceiveMessageWaitTimeSeconds")
	q.mu.Unlock()
	wait, err := within("WaitTimeSeconds", in.WaitTimeSeconds, int(standard/time.Second), 0, 20)
	if err != nil {
		return nil, err
	}
	hide, err := within("VisibilityTimeout", in.VisibilityTimeout, -1, -1, 43200)
	if err != nil {
		return nil, err
	}
	list := q.Receive(r.Context(), most, time.Duration(wait)*time.Second, time.Duration(hide)*time.Second)
	messages := make([]map[string]any, 0, len(list))
	for _, m := range list {
		out := map[string]any{"MessageId": m.ID, "ReceiptHandle": m.Receipt, "MD5OfBody": m.MD5, "Body": m.Body}
		if len(in.MessageSystemAttributeNames)+len(in.AttributeNames) > 0 {
			out["Attributes"] = m.system()
		}
		if m.Attributes != nil {
			out["MessageAttributes"] = m.Attributes
		}
		messages = append(messages, out)
	}
	if len(messages) == 0 {
		return nil, nil
	}
	return map[string]any{"Messages": messages}, nil
}

// system returns the message's system attributes.
func (m *Delivered) system() map[string]string {
	return map[string]string{
		"ApproximateReceiveCount": strconv.Itoa(m.Received), "SentTimestamp": strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"SenderId": "AIDAEMULATOR", "ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.First.UnixMilli(), 10),
	}
}

// within returns a number of a request, or the standard one.
func within(name string, p *int, standard, least, most int) (int, error) {
	if p == nil {
		return standard, nil
	}
	if *p < least || *p > most {
		return 0, invalid("Value %d for parameter %s is invalid. Reason: Must be between %d and %d, if provided.", *p, name, least, most)
	}
	return *p, nil
}

func (q *Queue) discard(receipt string) error {
	if receipt == "" {
		return &sqsError{"MissingParameter", "The request must contain the parameter ReceiptHandle."}
	}
	q.Delete(receipt)
	return nil
}

func (q *Queue) delay(receipt string, seconds *int) error {
	n, err := within("VisibilityTimeout", seconds, -1, 0, 43200)
	if err == nil && n < 0 {
		err = &sqsError{"MissingParameter", "The request must contain the parameter VisibilityTimeout."}
	}
	if err != nil {
		return err
	}
	return q.hide(receipt, time.Duration(n)*time.Second)
}

// eachEntry does the entries of a batch one by one.
func eachEntry(entries []sqsEntry, do func(sqsEntry) (map[string]string, error)) (any, error) {
	switch {
	case len(entries) == 0:
		return nil, &sqsError{"EmptyBatchRequest", "There should be at least one entry in the request."}
	case len(entries) > maxEntries:
		return nil, &sqsError{"TooManyEntriesInBatchRequest", fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maxEntries, len(entries))}
	}
	seen := make(map[string]bool)
	for _, e := range entries {
		if seen[e.ID] {
			return nil, &sqsError{"BatchEntryIdsNotDistinct", "Id " + e.ID + " repeated."}
		}
		seen[e.ID] = true
	}
	done, failed := []map[string]string{}, []map[string]any{}
	for _, e := range entries {
		out, err := do(e)
		if err != nil {
			var se *sqsError
			if !errors.As(err, &se) {
				return nil, err
			}
			failed = append(failed, map[string]any{"Id": e.ID, "Code": se.kind, "Message": se.message, "SenderFault": true})
			continue
		}
		out["Id"] = e.ID
		done = append(done, out)
	}
	return map[string]any{"Successful": done, "Failed": failed}, nil
}
