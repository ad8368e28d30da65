package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// How large a response may be in bytes, as the JSON that Lambda is handed. Lambda
// refuses a larger one, and the runtime client ends the process then.
const (
	maxResponse = 6 << 20 // "Lambda quotas", invocation payload, synchronous
	maxBalancer = 1 << 20 // "Lambda functions as targets", limits
)

// most returns how large the answer to a request of the shape may be.
func (s shape) most() int {
	if s == balancer {
		return maxBalancer
	}
	return maxResponse
}

// answer is an HTTP answer.
type answer struct {
	code   int
	header http.Header
	body   []byte
	over   bool // the body passed what is kept of it and was dropped
}

// failure returns an answer that says what is wrong, in the form that all of
// narthex's errors have.
func failure(code int, errorType, msg string) *answer {
	body, err := json.Marshal(map[string]string{"status": "error", "errorType": errorType, "error": msg})
	if err != nil { // strings can't fail
		body = nil
	}
	return &answer{code: code, body: body, header: http.Header{
		"Content-Type":  {"application/json"},
		"Cache-Control": {"no-store"},
	}}
}

// response is the JSON of an answer, in any of the shapes.
type response struct {
	Code        int                 `json:"statusCode"`
	Description string              `json:"statusDescription,omitempty"` // of a load balancer
	Headers     map[string]string   `json:"headers,omitempty"`
	Multi       map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies     []string            `json:"cookies,omitempty"` // of payload format 2.0
	Body        string              `json:"body,omitempty"`
	Base64      bool                `json:"isBase64Encoded,omitempty"`
}

// encode returns the answer as Lambda takes it, and its status code, which is
// 502 if it would be larger than may be.
func (a *answer) encode(e *httpEvent) ([]byte, int) {
	most := e.shape.most()
	a.pack(e)
	text, err := a.marshal(e)
	if err == nil && !a.over && len(text) <= most {
		return text, a.code
	}
	tooLarge := failure(http.StatusBadGateway, "too_large", fmt.Sprintf(
		"the answer is larger than the %d bytes that may leave here: ask for less, such as a shorter range or fewer series, or accept gzip", most))
	if text, err = tooLarge.marshal(e); err != nil { // a constant can't fail
		return nil, tooLarge.code
	}
	return text, tooLarge.code
}

func (a *answer) marshal(e *httpEvent) ([]byte, error) {
	r := response{Code: a.code}
	if e.shape == balancer {
		r.Description = strings.TrimSpace(strconv.Itoa(a.code) + " " + http.StatusText(a.code))
	}
	header := a.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding"} { // Lambda's to say
		header.Del(name)
	}
	if body := a.body; bodyAllowed(e.method, a.code) && len(body) > 0 {
		if header.Get("Content-Type") == "" && header.Get("Content-Encoding") == "" {
			header.Set("Content-Type", http.DetectContentType(body)) // as net/http does
		}
		if r.Base64 = !plain(body); r.Base64 {
			r.Body = base64.StdEncoding.EncodeToString(body)
		} else {
			r.Body = string(body)
		}
	}
	r.setHeader(e, header)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// setHeader writes the header as the request's shape has it. A load balancer
// takes one value for each name unless its target group has multi-value headers.
func (r *response) setHeader(e *httpEvent, header http.Header) {
	if e.multi {
		r.Multi = header
		return
	}
	r.Headers = make(map[string]string, len(header))
	for name, values := range header {
		switch {
		case name == "Set-Cookie" && e.shape == format2:
			r.Cookies = values
		case name == "Set-Cookie":
			r.Headers[name] = values[0]
		default:
			r.Headers[name] = strings.Join(values, ", ")
		}
	}
}

// bodyAllowed reports whether an answer may have a body (RFC 9110, 6.4.1).
func bodyAllowed(method string, code int) bool {
	return method != http.MethodHead && code != http.StatusNoContent && code != http.StatusNotModified
}

// plain reports whether a JSON string carries b unchanged and cheaply: UTF-8
// without control characters other than tabs and line ends.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return utf8.Valid(b)
}
