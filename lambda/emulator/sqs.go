package emulator

import (
	"container/list"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxMessage is how large a message, or a batch of them, may be, in bytes.
// Source: "Amazon SQS message quotas".
const MaxMessage = 1 << 20

// SQS is Amazon's queue service in memory: standard queues, spoken to in its JSON
// protocol at the handler's address, or by [Queue]'s methods. Signatures are not
// looked at, so serve it on loopback only. There are no FIFO queues.
//
//	s := emulator.NewSQS("us-east-1")
//	server := httptest.NewServer(s)
//	q, err := s.CreateQueue("log", map[string]string{"VisibilityTimeout": "30"})
//	url := server.URL + q.Path()
//
// Source: "Amazon Simple Queue Service API Reference" and Developer Guide.
type SQS struct {
	region string

	mu     sync.Mutex
	queues map[string]*Queue
}

// NewSQS returns a service of a region, without queues.
func NewSQS(region string) *SQS {
	return &SQS{region: region, queues: make(map[string]*Queue)}
}

func (s *SQS) arn(name string) string { return "arn:aws:sqs:" + s.region + ":" + Account + ":" + name }

func (s *SQS) byARN(arn string) *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[arn[strings.LastIndexByte(arn, ':')+1:]]
}

// Path is the path of the queue's URL.
func (q *Queue) Path() string { return "/" + Account + "/" + q.name }

// CreateQueue makes a queue. One that exists is returned if it has the same
// attributes.
func (s *SQS) CreateQueue(name string, attributes map[string]string) (*Queue, error) {
	if len(name) == 0 || len(name) > 80 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return nil, invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length (FIFO queues are not emulated)")
	}
	q := &Queue{s: s, name: name, changed: make(chan struct{}), messages: list.New(), byReceipt: make(map[string]*list.Element), attributes: map[string]string{
		"VisibilityTimeout": "30", "DelaySeconds": "0", "ReceiveMessageWaitTimeSeconds": "0", "MessageRetentionPeriod": "345600", "MaximumMessageSize": fmt.Sprint(MaxMessage),
	}}
	if err := q.set(attributes); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.queues[name]; ok {
		have.mu.Lock()
		defer have.mu.Unlock()
		for name, value := range attributes {
			if have.attributes[name] != value {
				return nil, &sqsError{"QueueNameExists", "A queue already exists with the same name and a different value for attribute " + name}
			}
		}
		return have, nil
	}
	s.queues[name] = q
	return q, nil
}

// sqsError is an error as SQS names it.
type sqsError struct{ kind, message string }

func (e *sqsError) Error() string { return e.kind + ": " + e.message }

func invalid(format string, args ...any) error {
	return &sqsError{"InvalidParameterValue", fmt.Sprintf(format, args...)}
}

// sqsRequest is what requests have, each some of it.
type sqsRequest struct {
	QueueURL          string `json:"QueueUrl"`
	QueueName         string
	QueueNamePrefix   string
	Attributes        map[string]string
	AttributeNames    []string
	MessageBody       string
	DelaySeconds      *int
	MessageAttributes json.RawMessage

	MaxNumberOfMessages         *int
	WaitTimeSeconds             *int
	VisibilityTimeout           *int
	MessageSystemAttributeNames []string

	ReceiptHandle string
	Entries       []sqsEntry
}

type sqsEntry struct {
	ID                string `json:"Id"`
	MessageBody       string
	DelaySeconds      *int
	MessageAttributes json.RawMessage
	ReceiptHandle     string
	VisibilityTimeout *int
}

// ServeHTTP implements [http.Handler].
func (s *SQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const most = 20 << 20
	body, err := readUpTo(r.Body, most)
	if err != nil {
		return // the sender has left, or sends what no request can be
	}
	var in sqsRequest
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	var out any
	switch {
	case !ok:
		err = &sqsError{"InvalidAction", "only the JSON protocol is spoken here: X-Amz-Target has to name the action"}
	case json.Unmarshal(body, &in) != nil:
		err = &sqsError{"SerializationException", "the request is not JSON as the action wants it"}
	default:
		out, err = s.act(r, op, &in)
	}
	code := http.StatusOK
	if err != nil {
		e, ok := err.(*sqsError)
		if !ok {
			e = &sqsError{"InternalFailure", err.Error()}
		}
		code, out = http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#" + e.kind, "message": e.message}
		w.Header().Set("X-Amzn-Query-Error", queryError(e.kind)+";Sender")
	}
	if out == nil {
		out = struct{}{}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", newID())
	w.WriteHeader(code)
	_, _ = w.Write(marshal(out)) // the sender has left
}

// queryError is what the older protocol called an error.
func queryError(kind string) string {
	switch kind {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		return "QueueAlreadyExists"
	case "InvalidParameterValue", "InvalidAttributeName", "InvalidAction":
		return kind
	}
	return "AWS.SimpleQueueService." + kind
}

// act does what a request asks for.
func (s *SQS) act(r *http.Request, op string, in *sqsRequest) (any, error) {
	url := func(q *Queue) string { return "http://" + r.Host + q.Path() }
	switch op {
	case "CreateQueue":
		q, err := s.CreateQueue(in.QueueName, in.Attributes)
		if err != nil {
			return nil, err
		}
		return map[string]string{"QueueUrl": url(q)}, nil
	case "ListQueues":
		return map[string][]string{"QueueUrls": s.list(in.QueueNamePrefix, url)}, nil
	case "GetQueueUrl":
		in.QueueURL = "/" + in.QueueName
	}
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nil, err
	}
	switch op {
	case "GetQueueUrl":
		return map[string]string{"QueueUrl": url(q)}, nil
	case "GetQueueAttributes":
		return map[string]any{"Attributes": q.describe(in.AttributeNames)}, nil
	case "SetQueueAttributes":
		return nil, q.set(in.Attributes)
	case "PurgeQueue":
		q.purge()
		return nil, nil
	case "DeleteQueue":
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.queues, q.name)
		return nil, nil
	}
	return q.act(r, op, in)
}

// list returns the addresses of the queues whose names begin so.
func (s *SQS) list(prefix string, url func(*Queue) string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := []string{}
	for name, q := range s.queues {
		if strings.HasPrefix(name, prefix) {
			urls = append(urls, url(q))
		}
	}
	slices.Sort(urls)
	return urls
}

// find returns the queue of an address.
func (s *SQS) find(url string) (*Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.queues[url[strings.LastIndexByte(url, '/')+1:]]
	if !ok {
		return nil, &sqsError{"QueueDoesNotExist", "The specified queue does not exist."}
	}
	return q, nil
}

// describe returns the attributes that are asked for.
func (q *Queue) describe(names []string) map[string]string {
	visible, delayed, flying := q.count(time.Now())
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[string]string{
		"QueueArn": q.s.arn(q.name), "ApproximateNumberOfMessages": fmt.Sprint(visible),
		"ApproximateNumberOfMessagesDelayed": fmt.Sprint(delayed), "ApproximateNumberOfMessagesNotVisible": fmt.Sprint(flying),
	}
	for name, value := range q.attributes {
		all[name] = value
	}
	if slices.Contains(names, "All") {
		return all
	}
	out := make(map[string]string)
	for _, name := range names {
		if value, ok := all[name]; ok {
			out[name] = value
		}
	}
	return out
}
