package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
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

// CloudWatch counts what a subscription of CloudWatch Logs sent: the gzip that
// awslogs.data holds in base64. A control message is nothing to count. The id is
// a hash of the events' ids, so that the same message counts once. received is
// when the message was sent, zero if that is not known.
func (s *Source) CloudWatch(ctx context.Context, data []byte, received time.Time) (*Receipt, error) {
	m, err := parseCloudWatch(data)
	if err != nil {
		return s.failed("a CloudWatch Logs message", err)
	}
	name := m.LogGroup + ":" + m.LogStream
	if len(m.Events) == 0 {
		return &Receipt{Source: s.o.Name, Name: name, Received: s.o.Now()}, nil
	}
	h := sha256.New()
	var body bytes.Buffer
	for _, e := range m.Events {
		fmt.Fprintf(h, "%s\n", e.ID)
		text := strings.TrimRight(e.Message, "\r\n")
		body.WriteString(strings.NewReplacer("\n", " ", "\r", " ").Replace(text)) // an event is a line
		body.WriteByte('\n')
	}
	id := "cloudwatch:" + m.Owner + ":" + name + "@" + hex.EncodeToString(h.Sum(nil)[:16])
	return s.Object(ctx, Object{ID: id, Name: name, Received: received, Body: &body})
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
