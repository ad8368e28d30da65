package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The Telemetry API.
//
// Source: "Accessing real-time telemetry data for extensions using the Telemetry
// API", its reference and its schema reference.

// telemetry gathers an instance's events and hands them to subscribers.
type telemetry struct {
	mu      sync.Mutex
	backlog []entry // of the start, for those that subscribe within it
	open    bool    // the start is over, there is no backlog any more
	paused  bool
	changed chan struct{} // closed, and another made, when paused changes
	subs    []*subscriber
	ended   sync.WaitGroup
}

// entry is one event.
type entry struct {
	class string // platform, function or extension
	text  []byte // as JSON
}

func newTelemetry() *telemetry { return &telemetry{changed: make(chan struct{})} }

// emit takes an event of a type such as platform.start.
func (t *telemetry) emit(kind string, record any) {
	class, _, _ := strings.Cut(kind, ".")
	text, err := json.Marshal(map[string]any{"time": timestamp(time.Now()), "type": kind, "record": record})
	if err != nil { // maps of text and numbers
		panic(err)
	}
	e := entry{class, text}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		t.backlog = append(t.backlog, e)
	}
	for _, s := range t.subs {
		s.put(e)
	}
}

// opened is told that the start is over.
func (t *telemetry) opened() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.backlog = true, nil
}

// pause holds deliveries back while the instance is frozen.
func (t *telemetry) pause(paused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paused = paused; !paused {
		close(t.changed)
		t.changed = make(chan struct{})
	}
}

// awake waits until the instance is not frozen.
func (t *telemetry) awake(ctx context.Context) {
	for {
		t.mu.Lock()
		paused, changed := t.paused, t.changed
		t.mu.Unlock()
		if !paused {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// hurry has what waits delivered now.
func (t *telemetry) hurry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.subs {
		s.hurry()
	}
}

// close delivers nothing more.
func (t *telemetry) close() {
	t.mu.Lock()
	for _, s := range t.subs {
		s.stop()
	}
	t.subs, t.open = nil, true
	t.mu.Unlock()
	t.ended.Wait()
}

// subscription is the body of a subscription.
type subscription struct {
	SchemaVersion string   `json:"schemaVersion"`
	Types         []string `json:"types"`
	Buffering     struct {
		MaxItems  int `json:"maxItems"`
		MaxBytes  int `json:"maxBytes"`
		TimeoutMs int `json:"timeoutMs"`
	} `json:"buffering"`
	Destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
		Port     int    `json:"port"` // of TCP
	} `json:"destination"`
}

// subscribe takes a subscription of an extension.
func (i *Instance) subscribe(w http.ResponseWriter, r *http.Request) {
	a := i.caller(w, r)
	if a == nil {
		return
	}
	body, err := readUpTo(r.Body, 1<<20)
	var want subscription
	if err == nil {
		err = json.Unmarshal(body, &want)
	}
	var s *subscriber
	if err == nil {
		s, err = want.open(i.telemetry)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "ValidationError", err.Error())
		return
	}
	t := i.telemetry
	t.mu.Lock()
	for _, e := range t.backlog {
		s.put(e)
	}
	t.subs = append(t.subs, s)
	t.mu.Unlock()
	t.ended.Go(s.run)
	t.emit("platform.telemetrySubscription", map[string]any{"name": a.name, "state": "Subscribed", "types": want.Types})
	accept(w, http.StatusOK, "OK")
}

// open checks a subscription and returns the subscriber.
func (s *subscription) open(t *telemetry) (*subscriber, error) {
	switch s.SchemaVersion {
	case "2022-07-01", "2022-12-13", "2025-01-29":
	default:
		return nil, fmt.Errorf("schemaVersion %q is not supported", s.SchemaVersion)
	}
	out := &subscriber{t: t, types: make(map[string]bool), wake: make(chan struct{}, 1)}
	for _, c := range s.Types {
		if c != "platform" && c != "function" && c != "extension" {
			return nil, fmt.Errorf("type %q is not supported", c)
		}
		out.types[c] = true
	}
	if len(s.Types) == 0 {
		return nil, fmt.Errorf("types should not be empty")
	}
	var err error
	bound := func(p *int, name string, value, standard, least, most int) {
		if *p = value; value == 0 {
			*p = standard
		} else if (value < least || value > most) && err == nil {
			err = fmt.Errorf("%s must be between %d and %d", name, least, most)
		}
	}
	var timeout int
	bound(&out.items, "maxItems", s.Buffering.MaxItems, 10000, 1000, 10000)
	bound(&out.bytes, "maxBytes", s.Buffering.MaxBytes, 262144, 262144, 1048576)
	bound(&timeout, "timeoutMs", s.Buffering.TimeoutMs, 1000, 25, 30000)
	out.timeout = time.Duration(timeout) * time.Millisecond
	if err == nil {
		out.send, err = s.sender()
	}
	out.ctx, out.stop = context.WithCancel(context.Background())
	return out, err
}

// sender returns what sends a list of events to the destination. The sandbox is
// this machine.
func (s *subscription) sender() (func(context.Context, []entry) error, error) {
	switch s.Destination.Protocol {
	case "TCP":
		if s.Destination.Port <= 0 {
			return nil, fmt.Errorf("port is not provided")
		}
		return sendTCP(fmt.Sprint("127.0.0.1:", s.Destination.Port)), nil
	case "HTTP", "":
	default:
		return nil, fmt.Errorf("protocol %q is not supported", s.Destination.Protocol)
	}
	u, err := url.Parse(s.Destination.URI)
	switch {
	case err != nil || u.Scheme != "http":
		return nil, fmt.Errorf("URI is not valid")
	case u.Hostname() != "sandbox.localdomain" && u.Hostname() != "sandbox":
		return nil, fmt.Errorf("URI must be of the host sandbox.localdomain")
	case u.Port() == "":
		return nil, fmt.Errorf("URI port is not provided")
	}
	u.Host = "127.0.0.1:" + u.Port()
	return sendHTTP(u.String()), nil
}

// sendHTTP posts a JSON array.
func sendHTTP(address string) func(context.Context, []entry) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context, batch []entry) error {
		texts := make([]json.RawMessage, len(batch))
		for i, e := range batch {
			texts[i] = e.text
		}
		body, err := json.Marshal(texts)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode >= 500 {
			return fmt.Errorf("answered %s", resp.Status)
		}
		return nil
	}
}

// sendTCP writes a line for each event.
func sendTCP(address string) func(context.Context, []entry) error {
	var conn net.Conn
	var dialer net.Dialer
	return func(ctx context.Context, batch []entry) (err error) {
		if conn == nil {
			if conn, err = dialer.DialContext(ctx, "tcp", address); err != nil {
				conn = nil
				return err
			}
		}
		var lines bytes.Buffer
		for _, e := range batch {
			lines.Write(e.text)
			lines.WriteByte('\n')
		}
		if _, err = conn.Write(lines.Bytes()); err != nil {
			conn.Close()
			conn = nil
		}
		return err
	}
}
