package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"narthex"
)

// maxCloudWatch bounds a subscription's message when it is unpacked, in bytes.
// Lambda takes 6 MB of it, compressed.
const maxCloudWatch = 64 << 20

// cloudWatch is a message of a CloudWatch Logs subscription.
//
// Source: "Log group-level subscription filters", Amazon CloudWatch Logs User
// Guide.
type cloudWatch struct {
	MessageType string     `json:"messageType"`
	Owner       string     `json:"owner"`
	LogGroup    string     `json:"logGroup"`
	LogStream   string     `json:"logStream"`
	Events      []logEvent `json:"logEvents"`
}

type logEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"` // ms
	Message   string `json:"message"`
}

// name is what the log stream is called.
func (m *cloudWatch) name() string { return m.LogGroup + ":" + m.LogStream }

// CloudWatch counts what a subscription of CloudWatch Logs sent: the gzip that
// awslogs.data holds in base64. A control message is nothing to count. Each log
// event counts once, by its id, whatever the message that brings it. received is
// when the message was sent, zero if that is not known.
func (s *Source) CloudWatch(ctx context.Context, data []byte, received time.Time) (*Receipt, error) {
	m, err := parseCloudWatch(data)
	if err != nil {
		return s.failed("a CloudWatch Logs message", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Receipt{Source: s.o.Name, Name: m.name(), Received: received}
	if received.IsZero() {
		r.Received = s.o.Now()
	}
	if len(m.Events) == 0 {
		return r, nil
	}
	if err = s.refresh(ctx); err == nil {
		err = s.segments(ctx, m, r)
	}
	if err != nil {
		r.Error = err.Error()
	}
	s.o.Stats.add(r, err)
	return r, err
}

// segments counts a message's events by the segments of their times. What the
// sink refuses for good of one does not keep the others from being counted.
func (s *Source) segments(ctx context.Context, m *cloudWatch, r *Receipt) (refused error) {
	bySegment := make(map[int64][]logEvent)
	for _, e := range m.Events {
		n := max(0, e.Timestamp) / eventSegment.Milliseconds()
		bySegment[n] = append(bySegment[n], e)
	}
	r.Duplicate = true
	for _, n := range slices.Sorted(maps.Keys(bySegment)) {
		part := &Receipt{Received: r.Received}
		err := s.events(ctx, m, n, bySegment[n], part)
		if err != nil && !narthex.IsRejected(err) {
			return err
		}
		refused = errors.Join(refused, err)
		r.join(part)
	}
	return refused
}

func parseCloudWatch(data []byte) (*cloudWatch, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "the CloudWatch Logs message is not gzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxCloudWatch+1))
	if err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "the CloudWatch Logs message is damaged: %w", err)
	}
	if len(text) > maxCloudWatch {
		return nil, narthex.Errorf(narthex.TooLarge, "the CloudWatch Logs message has more than %d bytes", maxCloudWatch)
	}
	var m cloudWatch
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "the CloudWatch Logs message is malformed: %w", err)
	}
	switch m.MessageType {
	case "CONTROL_MESSAGE":
		m.Events = nil
	case "DATA_MESSAGE":
	default:
		return nil, narthex.Errorf(narthex.Invalid, "the CloudWatch Logs message has the messageType %.40q: want DATA_MESSAGE or CONTROL_MESSAGE", m.MessageType)
	}
	return &m, nil
}

// CloudWatchGroup returns the log group that a subscription's message is from, ""
// for a control message.
func CloudWatchGroup(data []byte) (string, error) {
	m, err := parseCloudWatch(data)
	if err != nil || m.MessageType == "CONTROL_MESSAGE" {
		return "", err
	}
	return m.LogGroup, nil
}
