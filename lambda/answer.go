package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxResponse is how large a response may be in bytes, as the JSON that Lambda
// is handed. Source: "Lambda quotas", invocation payload, synchronous: 6 MB.
// Lambda refuses a larger one, and the runtime client ends the process then.
const maxResponse = 6 << 20

// answer is an HTTP answer.
type answer struct {
	code   int
	header http.Header
	body   []byte
	over   bool // the body passed maxResponse and was dropped
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

// response is the JSON of an answer in payload format 2.0.
type response struct {
	Code    int               `json:"statusCode"`
	Headers map[string]string `json:"headers,omitempty"`
	Cookies []string          `json:"cookies,omitempty"`
	Body    string            `json:"body,omitempty"`
	Base64  bool              `json:"isBase64Encoded,omitempty"`
}

// encode returns the answer as Lambda takes it, and its status code, which is
// 502 if it would be larger than Lambda allows.
func (a *answer) encode(method string) ([]byte, int) {
	text, err := a.marshal(method)
	if err == nil && !a.over && len(text) <= maxResponse {
		return text, a.code
	}
	tooLarge := failure(http.StatusBadGateway, "too_large", fmt.Sprintf(
		"the answer is larger than the %d bytes that Lambda allows: ask for less, such as a shorter range or fewer series", maxResponse))
	if text, err = tooLarge.marshal(method); err != nil { // a constant can't fail
		return nil, tooLarge.code
	}
	return text, tooLarge.code
}

func (a *answer) marshal(method string) ([]byte, error) {
	r := response{Code: a.code, Headers: make(map[string]string, len(a.header))}
	for name, values := range a.header {
		switch name {
		case "Set-Cookie":
			r.Cookies = values
		case "Connection", "Content-Length", "Transfer-Encoding": // Lambda's to say
		default:
			r.Headers[name] = strings.Join(values, ", ")
		}
	}
	if body := a.body; bodyAllowed(method, a.code) && len(body) > 0 {
		if r.Headers["Content-Type"] == "" && a.header.Get("Content-Encoding") == "" {
			r.Headers["Content-Type"] = http.DetectContentType(body) // as net/http does
		}
		if r.Base64 = !plain(body); r.Base64 {
			r.Body = base64.StdEncoding.EncodeToString(body)
		} else {
			r.Body = string(body)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
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
