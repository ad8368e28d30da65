package push

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
)

// Client is a sink that pushes to another narthex. It tries again, under the
// same id, until the other has answered or the context ends, so that a batch is
// counted once whatever happens on the way.
type Client struct {
	// URL is where the other narthex is, such as http://127.0.0.1:9091.
	URL string
	// HTTP makes the requests; nil means one with a limit of 30 s a try.
	HTTP *http.Client
	// Wait is the pause after the first failed try; it doubles with each, to
	// 10 s at most. Default 200 ms.
	Wait time.Duration
}

// Write implements [narthex.Sink]. The batch must have an ID.
func (c *Client) Write(ctx context.Context, b *narthex.Batch) error {
	for _, s := range b.Series {
		for _, x := range s.Samples {
			if x.Histogram != nil { // which the push API takes as observations only
				return c.writeOTLP(ctx, b)
			}
		}
	}
	body, err := json.Marshal(requestOf(b))
	if err != nil {
		return narthex.Errorf(narthex.Invalid, "a value can't be written as JSON: %w", err)
	}
	r, err := c.Send(ctx, b.ID, body)
	if r != nil {
		b.Duplicate = r.Status == Duplicate
		b.Rejected = append(b.Rejected, r.Rejected...)
	}
	return err
}

// Send pushes a body of POST /api/v1/push under the id. The receipt is not nil
// if the other has made one, also if it rejected all.
func (c *Client) Send(ctx context.Context, id string, body []byte) (*Receipt, error) {
	return c.send(ctx, id, call{http.MethodPost, "/api/v1/push", "application/json", body})
}

// call is a request of the client.
type call struct {
	method, path, contentType string
	body                      []byte
}

func (c *Client) send(ctx context.Context, id string, call call) (*Receipt, error) {
	wait := c.Wait
	if wait == 0 {
		wait = 200 * time.Millisecond
	}
	call.body = pack(call.body)
	for {
		r, pause, err := c.try(ctx, id, call)
		if err == nil || narthex.IsRejected(err) {
			return r, err
		}
		timer := time.NewTimer(max(pause, wait/2+rand.N(wait)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, narthex.Errorf(narthex.Unavailable, "gave up pushing to %s; it may be sent again under the id %s: %w", c.where(), id, err)
		}
		wait = min(2*wait, 10*time.Second)
	}
}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return &http.Client{Timeout: 30 * time.Second}
}

// receiptURL is where the receipt of a push is.
func (c *Client) receiptURL(id string) string {
	return strings.TrimSuffix(c.URL, "/") + "/api/v1/receipts/" + url.PathEscape(id)
}

// where is the URL without a password.
func (c *Client) where() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "the given URL"
	}
	return u.Redacted()
}

func pack(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body) // to memory, which does not fail
	z.Close()
	return b.Bytes()
}

// try makes one request. pause is how long the other asked to wait.
func (c *Client) try(ctx context.Context, id string, call call) (r *Receipt, pause time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, call.method, strings.TrimSuffix(c.URL, "/")+call.path, bytes.NewReader(call.body))
	if err != nil {
		return nil, 0, narthex.Errorf(narthex.Invalid, "push: %w", err)
	}
	req.Header.Set("Content-Type", call.contentType)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("User-Agent", "narthex")
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, 0, narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return nil, 0, narthex.Errorf(narthex.Unavailable, "read the answer of %s: %w", c.where(), err)
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		pause = time.Duration(min(s, 60)) * time.Second
	}
	switch {
	case strings.HasPrefix(call.path, gatewayPrefix):
		r, err = gatewayAnswer(resp, id, text)
	case call.path == otlpPath:
		r, err = otlpAnswer(resp, id, text)
	default:
		r, err = answerOf(resp, text)
	}
	return r, pause, err
}

// answerOf makes a receipt, an error, or both, of an answer.
func answerOf(resp *http.Response, text []byte) (*Receipt, error) {
	var r struct {
		Receipt
		Error string `json:"error"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		r.Error = fmt.Sprintf("the answer (%s) is not narthex's: %s", resp.Status, message.Clip(string(text), 200))
		if resp.StatusCode < 300 { // no receipt, no acknowledgement
			return nil, narthex.Errorf(narthex.Invalid, "%s", r.Error)
		}
	}
	if resp.StatusCode == http.StatusOK {
		return &r.Receipt, nil
	}
	err := errorOf(resp, r.Error)
	if narthex.KindOf(err) != narthex.Invalid {
		return nil, err
	}
	r.Status = Rejected
	return &r.Receipt, err
}

// errorOf returns what an answer other than 2xx means; text is what it says.
func errorOf(resp *http.Response, text string) error {
	switch code := resp.StatusCode; {
	case code == http.StatusUnprocessableEntity:
		return narthex.Errorf(narthex.Conflict, "%s", text)
	case code == http.StatusRequestEntityTooLarge:
		return narthex.Errorf(narthex.TooLarge, "%s", text)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return narthex.Errorf(narthex.Unavailable, "%s: %s", resp.Status, text)
	}
	return narthex.Errorf(narthex.Invalid, "%s", text)
}

// request is the JSON of a push.
type request struct {
	Series []seriesJSON `json:"series"`
}

type seriesJSON struct {
	Labels  map[string]string `json:"labels"`
	As      string            `json:"as"`
	Samples []sampleJSON      `json:"samples"`
}

type sampleJSON struct {
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp,omitempty"`
}

func requestOf(b *narthex.Batch) request {
	r := request{Series: make([]seriesJSON, 0, len(b.Series))}
	for _, s := range b.Series {
		x := seriesJSON{Labels: make(map[string]string, len(s.Labels)), As: s.As.String()}
		for _, l := range s.Labels {
			x.Labels[l.Name] = l.Value
		}
		for _, v := range s.Samples {
			x.Samples = append(x.Samples, sampleJSON{Value: v.Value, Timestamp: v.Time})
		}
		r.Series = append(r.Series, x)
	}
	return r
}
