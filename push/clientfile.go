package push

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
)

// Exposition is metrics as programs expose them, and the group they are pushed
// to.
type Exposition struct {
	// Group are the grouping labels, job first.
	Group []narthex.Label
	// Extend replaces metrics of the same names only (POST) and not the whole
	// group (PUT).
	Extend bool
	// Aggregate has counters and histograms added up. Source, if not empty, says
	// that they are the totals of that source.
	Aggregate bool
	Source    string
	// TTL is the group's time to live, 0 for what the other end says.
	TTL time.Duration
	// ContentType is the body's format.
	ContentType string
	Body        []byte
}

// SendExposition pushes to /metrics/job/… or /aggregate/metrics/job/… under the
// id. As with Send, the receipt is not nil if the other has made one; of a push
// to a group, whose answer has none, it says only whether it was taken.
func (c *Client) SendExposition(ctx context.Context, id string, x Exposition) (*Receipt, error) {
	path, query := gatewayPrefix, url.Values{}
	if x.Aggregate {
		path = aggregatePrefix
		if x.Source != "" {
			query.Set("temporality", "cumulative")
			query.Set("source", x.Source)
		}
	} else if x.TTL != 0 {
		query.Set("ttl", x.TTL.String())
	}
	path += groupPath(x.Group)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	method := http.MethodPut
	if x.Extend {
		method = http.MethodPost
	}
	return c.send(ctx, id, call{method, path, x.ContentType, x.Body})
}

// groupPath writes labels as a path, in base64 where the path's own characters
// would not survive every proxy.
func groupPath(group []narthex.Label) string {
	var parts []string
	for _, l := range group {
		switch plain := strings.Trim(l.Value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."); {
		case l.Value == "":
			parts = append(parts, url.PathEscape(l.Name)+base64Suffix, "=")
		case plain != "" || strings.Trim(l.Value, ".") == "":
			parts = append(parts, url.PathEscape(l.Name)+base64Suffix, base64.RawURLEncoding.EncodeToString([]byte(l.Value)))
		default:
			parts = append(parts, url.PathEscape(l.Name), l.Value)
		}
	}
	return strings.Join(parts, "/")
}

// gatewayAnswer makes a receipt or an error of an answer as Pushgateway gives
// it.
func gatewayAnswer(resp *http.Response, id string, text []byte) (*Receipt, error) {
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted {
		return &Receipt{ID: id, Status: Accepted}, nil
	}
	why := strings.TrimSpace(message.Clip(string(text), 1000))
	if why == "" {
		why = resp.Status
	}
	return nil, errorOf(resp, why)
}
