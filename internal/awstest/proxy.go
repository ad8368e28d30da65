package awstest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Fault is what a [Proxy] does with a request.
type Fault int

// The faults.
const (
	Pass     Fault = iota // none
	Refuse                // cut the connection, the request does not arrive
	Lose                  // pass the request on, cut the connection in place of its answer
	Truncate              // pass the request on, cut the connection within its answer's body
	Fail                  // pass the request on, answer 500 all the same
	SlowDown              // answer 503 SlowDown, as S3 does
	Conflict              // answer 409 ConditionalRequestConflict, as S3 does
	Throttle              // answer 400 ThrottlingException, as the JSON services do
)

// Proxy starts a proxy before a service and returns its address. decide is
// called once for each request, n being how many came before.
func Proxy(t testing.TB, endpoint string, decide func(r *http.Request, n int) Fault) string {
	t.Helper()
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := decide(r, int(count.Add(1))-1)
		switch fault {
		case Refuse:
			panic(http.ErrAbortHandler)
		case SlowDown:
			refuse(w, http.StatusServiceUnavailable, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
			return
		case Conflict:
			refuse(w, http.StatusConflict, "<Error><Code>ConditionalRequestConflict</Code></Error>")
			return
		case Throttle:
			refuse(w, http.StatusBadRequest, `{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Rate exceeded"}`)
			return
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the sender was killed within it
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
		resp, body, err := forward(r, endpoint)
		if err != nil {
			t.Error(err)
			panic(http.ErrAbortHandler)
		}
		switch fault {
		case Lose:
			panic(http.ErrAbortHandler)
		case Fail:
			refuse(w, http.StatusInternalServerError, "<Error><Code>InternalError</Code></Error>")
			return
		}
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(resp.StatusCode)
		if fault == Truncate {
			w.Write(body[:len(body)/2])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Write(body)
	}))
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	return server.URL
}

// forward sends a request on with the host that was signed, and reads the
// answer.
func forward(r *http.Request, endpoint string) (*http.Response, []byte, error) {
	out, err := http.NewRequest(r.Method, endpoint+r.URL.RequestURI(), r.Body)
	if err != nil {
		return nil, nil, err
	}
	out.Host, out.Header, out.ContentLength = r.Host, r.Header, r.ContentLength
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	io.WriteString(w, text)
}
