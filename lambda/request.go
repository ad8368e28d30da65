package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// httpEvent is a request of payload format 2.0, as far as it is used here.
//
// Source: "Invoking Lambda function URLs" (Lambda) and "Lambda proxy
// integrations, payload format version 2.0" (API Gateway), which are the same.
type httpEvent struct {
	Version  string            `json:"version"` // "2.0"
	RawPath  string            `json:"rawPath"`
	RawQuery string            `json:"rawQueryString"`
	Cookies  []string          `json:"cookies"` // taken out of headers
	Headers  map[string]string `json:"headers"` // lower case; several values joined by commas
	Body     string            `json:"body"`
	Base64   bool              `json:"isBase64Encoded"` // of anything that is not text
	Context  struct {
		RequestID  string `json:"requestId"`
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"` // "$default" of a function URL
		// Authorizer is who the sender is; see caller.
		Authorizer json.RawMessage `json:"authorizer"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// parseHTTP returns the event, nil if it is something else than an HTTP request
// of payload format 2.0. The error is of an event that looks like one but has a
// field of another type.
func parseHTTP(event []byte) (*httpEvent, error) {
	var e httpEvent
	// A wrong type does not end the decoding, so that the fields which tell what
	// the event is are set in any case.
	err := json.Unmarshal(event, &e)
	if e.Version != "2.0" || e.Context.HTTP.Method == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("an HTTP request of payload format 2.0 is malformed: %w", err)
	}
	return &e, nil
}

// request returns the HTTP request that the event stands for.
func (e *httpEvent) request(ctx context.Context) (*http.Request, error) {
	body := []byte(e.Body)
	if e.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("its body is not base64, although isBase64Encoded is true: %w", err)
		}
	}
	if c, known := e.caller(); known {
		ctx = context.WithValue(ctx, callerKey{}, c)
	}
	r, err := http.NewRequestWithContext(ctx, e.Context.HTTP.Method, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL = e.url()
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = net.JoinHostPort(e.Context.HTTP.SourceIP, "0")
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	if r.Host = r.Header.Get("Host"); r.Host == "" {
		r.Host = e.Context.DomainName
	}
	r.Header.Del("Host")
	return r, nil
}

// url returns the URL that was asked for, without scheme and host. A stage of
// an API Gateway HTTP API that has a name stands in front of the path; handlers
// don't know it, so it is taken off.
func (e *httpEvent) url() *url.URL {
	raw := e.RawPath
	if stage := "/" + e.Context.Stage; stage != "/" {
		if rest, ok := strings.CutPrefix(raw, stage); ok && (rest == "" || rest[0] == '/') {
			raw = rest
		}
	}
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	u := &url.URL{Path: raw, RawQuery: e.RawQuery}
	// API Gateway sends the path decoded and a function URL as it came.
	if path, err := url.PathUnescape(raw); err == nil {
		u.Path, u.RawPath = path, raw
	}
	return u
}
