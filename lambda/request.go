package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"narthex"
)

// shape is which of AWS's forms a request has; its answer has the same.
type shape int

const (
	format2  shape = iota // a function URL and an HTTP API
	format1               // a REST API, and an HTTP API that is set so
	balancer              // an Application Load Balancer
)

func (s shape) String() string { return [...]string{"2.0", "1.0", "alb"}[s] }

// httpEvent is a request of any of the shapes, as far as it is used here.
type httpEvent struct {
	shape  shape
	multi  bool // headers have lists of values, and so has the answer
	id     string
	method string
	path   string // as it came; which shapes decode it differs
	query  string // encoded
	host   string
	source string // the sender's address
	header http.Header
	body   string
	base64 bool
	caller Caller
	known  bool // who the caller is
}

// eventFormat2 is a request of payload format 2.0.
//
// Source: "Invoking Lambda function URLs" (Lambda) and "Lambda proxy
// integrations, payload format version 2.0" (API Gateway), which are the same.
type eventFormat2 struct {
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

// eventFormat1 is a request of payload format 1.0, or of a load balancer.
//
// Source: "Lambda proxy integrations in API Gateway", "input format"; "Lambda
// functions as targets for Application Load Balancers".
type eventFormat1 struct {
	Method       string              `json:"httpMethod"`
	Path         string              `json:"path"`
	Headers      map[string]string   `json:"headers"`
	MultiHeaders map[string][]string `json:"multiValueHeaders"`
	Query        map[string]string   `json:"queryStringParameters"`
	MultiQuery   map[string][]string `json:"multiValueQueryStringParameters"`
	Body         string              `json:"body"`
	Base64       bool                `json:"isBase64Encoded"`
	Context      struct {
		ELB        json.RawMessage `json:"elb"` // only of a load balancer
		RequestID  string          `json:"requestId"`
		DomainName string          `json:"domainName"`
		Authorizer json.RawMessage `json:"authorizer"`
		Identity   identity        `json:"identity"`
	} `json:"requestContext"`
}

// parseHTTP returns the event, nil if it is something else than an HTTP request.
// The error is of an event that looks like one but has a field of another type.
func parseHTTP(event []byte) (*httpEvent, error) {
	var look struct {
		Version string `json:"version"`
		Method  string `json:"httpMethod"`
		Path    string `json:"path"`
		Context struct {
			HTTP struct {
				Method string `json:"method"`
			} `json:"http"`
		} `json:"requestContext"`
	}
	// A wrong type does not end the decoding, so that the fields which tell what
	// the event is are set in any case.
	_ = json.Unmarshal(event, &look)
	switch {
	case look.Version == "2.0" && look.Context.HTTP.Method != "":
		return parseFormat2(event)
	case look.Method != "" && look.Path != "":
		return parseFormat1(event)
	}
	return nil, nil
}

func parseFormat2(event []byte) (*httpEvent, error) {
	var e eventFormat2
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "an HTTP request of payload format 2.0 is malformed: %w", err)
	}
	out := &httpEvent{
		shape: format2, id: e.Context.RequestID, method: e.Context.HTTP.Method, path: e.RawPath, query: e.RawQuery,
		host: e.Context.DomainName, source: e.Context.HTTP.SourceIP, header: make(http.Header, len(e.Headers)+1), body: e.Body, base64: e.Base64,
	}
	for name, value := range e.Headers {
		out.header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		out.header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	// A stage of an API Gateway HTTP API that has a name stands in front of the
	// path; handlers don't know it, so it is taken off.
	if stage := "/" + e.Context.Stage; stage != "/" {
		if rest, ok := strings.CutPrefix(out.path, stage); ok && (rest == "" || rest[0] == '/') {
			out.path = rest
		}
	}
	out.caller, out.known = callerOf(e.Context.Authorizer, nil)
	return out, nil
}

func parseFormat1(event []byte) (*httpEvent, error) {
	var e eventFormat1
	err := json.Unmarshal(event, &e)
	s, what := format1, "an HTTP request of payload format 1.0"
	if len(e.Context.ELB) > 0 {
		s, what = balancer, "a request of an Application Load Balancer"
	}
	if err != nil {
		return nil, narthex.Errorf(narthex.Invalid, "%s is malformed: %w", what, err)
	}
	out := &httpEvent{
		shape: s, multi: e.MultiHeaders != nil, id: e.Context.RequestID, method: e.Method, path: e.Path,
		host: e.Context.DomainName, source: e.Context.Identity.SourceIP, body: e.Body, base64: e.Base64,
	}
	out.header = make(http.Header, max(len(e.Headers), len(e.MultiHeaders)))
	for name, value := range e.Headers {
		out.header.Set(name, value)
	}
	for name, values := range e.MultiHeaders {
		out.header[http.CanonicalHeaderKey(name)] = values
	}
	if e.MultiQuery == nil {
		e.MultiQuery = make(map[string][]string, len(e.Query))
		for name, value := range e.Query {
			e.MultiQuery[name] = []string{value}
		}
	}
	out.query = query(e.MultiQuery, s == balancer)
	if s == balancer { // it is the last hop that adds an address
		forwarded := out.header.Values("X-Forwarded-For")
		if n := len(forwarded); n > 0 {
			last := forwarded[n-1]
			out.source = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		}
		return out, nil // nobody has found out who sent it
	}
	out.caller, out.known = callerOf(e.Context.Authorizer, &e.Context.Identity)
	return out, nil
}

// query writes parameters as the query of a URL. A load balancer hands them on as
// they came, API Gateway decodes them.
func query(values map[string][]string, encoded bool) string {
	if !encoded {
		return url.Values(values).Encode()
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, "&")
}

// request returns the HTTP request that the event stands for.
func (e *httpEvent) request(ctx context.Context) (*http.Request, error) {
	body := []byte(e.body)
	if e.base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.body); err != nil {
			return nil, fmt.Errorf("its body is not base64, although isBase64Encoded is true: %w", err)
		}
	}
	if e.known {
		ctx = context.WithValue(ctx, callerKey{}, e.caller)
	}
	r, err := http.NewRequestWithContext(ctx, e.method, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL = e.url()
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = net.JoinHostPort(e.source, "0")
	r.Header = e.header
	if r.Host = r.Header.Get("Host"); r.Host == "" {
		r.Host = e.host
	}
	r.Header.Del("Host")
	return r, nil
}

// url returns the URL that was asked for, without scheme and host.
func (e *httpEvent) url() *url.URL {
	raw := e.path
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	u := &url.URL{Path: raw, RawQuery: e.query}
	// API Gateway sends the path decoded, a function URL and a load balancer as it
	// came.
	if path, err := url.PathUnescape(raw); err == nil {
		u.Path, u.RawPath = path, raw
	}
	return u
}
