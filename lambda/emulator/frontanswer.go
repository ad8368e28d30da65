package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// reply is a function's answer to an HTTP request, as all fronts take it.
type reply struct {
	Code       json.RawMessage            `json:"statusCode"`
	Headers    map[string]json.RawMessage `json:"headers"`
	MultiValue map[string][]string        `json:"multiValueHeaders"`
	Cookies    []string                   `json:"cookies"`
	Body       *string                    `json:"body"`
	Base64     bool                       `json:"isBase64Encoded"`
}

// answer writes a function's answer as HTTP. The error is of one that is no
// answer for this front; nothing is written then.
func (o *front) answer(w http.ResponseWriter, payload []byte) error {
	r, inferred := o.infer(payload)
	if inferred {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(payload) // the sender has left
		return nil
	}
	code, err := r.code()
	if err != nil {
		return err
	}
	var body []byte
	if r.Body != nil {
		body = []byte(*r.Body)
	}
	if r.Base64 && o.decodes(r) {
		if body, err = base64.StdEncoding.DecodeString(string(body)); err != nil {
			return err
		}
	}
	header, err := o.header(r)
	if err != nil {
		return err
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(code)
	_, _ = w.Write(body) // the sender has left
	return nil
}

// infer reads the answer. Payload format 2.0 takes anything without a statusCode
// for the body of a 200; what is not JSON at all is observed to pass through.
func (o *front) infer(payload []byte) (r *reply, inferred bool) {
	r = new(reply)
	err := json.Unmarshal(payload, r)
	if o.Kind == RESTAPI || o.Kind == ALB {
		if err != nil {
			r.Code = nil
		}
		return r, false
	}
	return r, len(r.Code) == 0
}

// code returns the status code, which may be text.
func (r *reply) code() (int, error) {
	text := strings.Trim(string(bytes.TrimSpace(r.Code)), `"`)
	code, err := strconv.Atoi(text)
	if err != nil || code < 100 || code > 599 {
		return 0, fmt.Errorf("the statusCode is %q", text)
	}
	return code, nil
}

// decodes reports whether a base64 body is decoded. A REST API does so for its
// binary types only.
func (o *front) decodes(r *reply) bool {
	if o.Kind != RESTAPI {
		return true
	}
	return o.binary(r.value("Content-Type"))
}

// value returns a header of the answer.
func (r *reply) value(name string) string {
	for n, v := range r.Headers {
		if strings.EqualFold(n, name) {
			text, _ := scalar(v) // another form is none
			return text
		}
	}
	for n, v := range r.MultiValue {
		if strings.EqualFold(n, name) && len(v) > 0 {
			return v[len(v)-1]
		}
	}
	return ""
}

// header returns the answer's header. Each front has a Content-Type of its own
// for answers that have none.
func (o *front) header(r *reply) (http.Header, error) {
	h := make(http.Header)
	single := o.Kind != ALB || !o.MultiValue
	for name, raw := range r.Headers {
		value, err := scalar(raw)
		if err != nil {
			return nil, fmt.Errorf("the header %s: %w", name, err)
		}
		if single {
			h.Set(name, value)
		}
	}
	if o.Kind == RESTAPI || !single {
		for name, values := range r.MultiValue {
			h.Del(name)
			for _, v := range values {
				h.Add(name, v)
			}
		}
	}
	if o.Kind == FunctionURL || o.Kind == HTTPAPI {
		for _, c := range r.Cookies {
			h.Add("Set-Cookie", c)
		}
	}
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		h.Del(name)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", map[FrontKind]string{HTTPAPI: "text/plain;charset=UTF-8", ALB: "application/octet-stream"}[o.Kind])
		if o.Kind == FunctionURL || o.Kind == RESTAPI {
			h.Set("Content-Type", "application/json")
		}
	}
	return h, nil
}

// scalar returns a JSON text, number or boolean as text.
func scalar(raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return "", errors.New("want text")
	}
	if raw[0] != '"' {
		return string(raw), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}
