package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// FrontKind is what stands between HTTP and a function.
type FrontKind int

// The kinds of fronts.
const (
	// FunctionURL is a function URL, payload format 2.0.
	FunctionURL FrontKind = iota
	// HTTPAPI is an API Gateway HTTP API with payload format 2.0.
	HTTPAPI
	// RESTAPI is an API Gateway REST API with a proxy integration, payload format
	// 1.0.
	RESTAPI
	// ALB is an Application Load Balancer with the function in a target group.
	ALB
)

// String is the kind's name on the command line.
func (k FrontKind) String() string {
	if names := FrontKinds(); k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("FrontKind(%d)", int(k))
}

// FrontKinds are the names of the kinds, in their order.
func FrontKinds() []string { return []string{"url", "http-api", "rest", "alb"} }

// Front is what makes events of HTTP requests and HTTP of a function's answers.
type Front struct {
	Kind FrontKind
	// MultiValue is the target group's setting multi_value_headers, of an ALB.
	MultiValue bool
	// Stage is that of an API; "" is $default of an HTTP API and prod of a REST
	// API.
	Stage string
	// BinaryTypes are the media types that a REST API hands on as bytes, such as
	// "*/*". It takes everything else for text, and breaks what is none.
	BinaryTypes []string
	// IAM, if not nil, is authorisation by AWS_IAM: it returns who has sent a
	// request, nil for one that is refused. An ALB has none.
	IAM func(*http.Request) *Caller
}

// Caller is who has sent a request, as IAM has found out.
type Caller struct {
	ARN       string // of the user or the assumed role
	AccountID string
	UserID    string // AIDA…, or AROA…:session
	AccessKey string
	OrgID     string
}

// limits of fronts. Sources: "Lambda quotas", "Quotas for configuring and running
// a REST API", "Quotas for configuring and running an HTTP API", "Lambda functions
// as targets" (Elastic Load Balancing).
type frontLimits struct {
	request  int           // body, in bytes
	response int           // the function's JSON, in bytes
	timeout  time.Duration // 0 is the function's
}

func (k FrontKind) limits() frontLimits {
	switch k {
	case HTTPAPI:
		return frontLimits{10 << 20, MaxResponse, 30 * time.Second}
	case RESTAPI:
		return frontLimits{10 << 20, MaxResponse, 29 * time.Second}
	case ALB:
		return frontLimits{1 << 20, 1 << 20, 0}
	}
	return frontLimits{MaxPayload, MaxResponse, 0}
}

// Front returns a handler that has the function answer HTTP requests.
func (f *Function) Front(o Front) http.Handler { return &front{o, f} }

type front struct {
	Front
	f *Function
}

// ServeHTTP implements [http.Handler].
func (o *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	limits := o.Kind.limits()
	body, err := readUpTo(r.Body, limits.request)
	switch {
	case errors.Is(err, errOver):
		o.refuse(w, ErrTooLarge)
		return
	case err != nil:
		return // the sender has left
	}
	var caller *Caller
	if o.IAM != nil && o.Kind != ALB {
		if caller = o.IAM(r); caller == nil {
			o.refuse(w, errForbidden)
			return
		}
	}
	event, err := json.Marshal(o.event(r, body, caller))
	if err != nil { // maps of text and numbers
		panic(err)
	}
	ctx := r.Context()
	if limits.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limits.timeout)
		defer cancel()
	}
	result, err := o.f.Invoke(ctx, event)
	switch {
	case err != nil:
		o.refuse(w, err)
	case result.FunctionError != "" || len(result.Payload) > limits.response:
		o.refuse(w, errFunction)
	default:
		if err := o.answer(w, result.Payload); err != nil {
			o.refuse(w, errFunction)
		}
	}
}

var (
	errForbidden = errors.New("forbidden")
	errFunction  = errors.New("the function failed, or its answer is none for this front")
)

// event returns the event for a request.
func (o *front) event(r *http.Request, body []byte, caller *Caller) map[string]any {
	switch o.Kind {
	case RESTAPI:
		return o.restEvent(r, body, caller)
	case ALB:
		return o.albEvent(r, body)
	}
	return o.event2(r, body, caller)
}

// refusal is what a front itself answers.
type refusal struct {
	code int
	body string
}

// refuse answers what does not come from the function. What AWS answers to a
// throttled request is documented for function URLs only.
func (o *front) refuse(w http.ResponseWriter, err error) {
	a := o.refusal(err)
	kind := "application/json"
	if a.body[0] == '<' {
		kind = "text/html"
	} else if a.body[0] != '{' {
		kind = "text/plain"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(a.code)
	_, _ = io.WriteString(w, a.body) // the sender has left
}

func (o *front) refusal(err error) refusal {
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case o.Kind == ALB && errors.Is(err, ErrTooLarge):
		return refusal{http.StatusRequestEntityTooLarge, "<html><head><title>413 Request Entity Too Large</title></head></html>"}
	case o.Kind == ALB:
		return refusal{http.StatusBadGateway, "<html><head><title>502 Bad Gateway</title></head></html>"}
	case errors.Is(err, errForbidden) && o.Kind == FunctionURL:
		return refusal{http.StatusForbidden, `{"Message":"Forbidden"}`}
	case errors.Is(err, errForbidden):
		return refusal{http.StatusForbidden, `{"message":"Forbidden"}`}
	case errors.Is(err, ErrTooLarge) && o.Kind == FunctionURL:
		return refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf(`{"Message":"Request must be smaller than %d bytes for the InvokeFunction operation"}`, MaxPayload)}
	case errors.Is(err, ErrTooLarge):
		return refusal{http.StatusRequestEntityTooLarge, `{"message":"Request Entity Too Large"}`}
	case errors.Is(err, ErrThrottled) && o.Kind == FunctionURL:
		return refusal{http.StatusTooManyRequests, `{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`}
	case o.Kind == FunctionURL:
		return refusal{http.StatusBadGateway, "Internal Server Error"}
	case late && o.Kind == RESTAPI:
		return refusal{http.StatusGatewayTimeout, `{"message": "Endpoint request timed out"}`}
	case errors.Is(err, ErrThrottled) || late:
		return refusal{http.StatusServiceUnavailable, `{"message":"Service Unavailable"}`}
	case o.Kind == RESTAPI:
		return refusal{http.StatusBadGateway, `{"message": "Internal server error"}`}
	}
	return refusal{http.StatusInternalServerError, `{"message":"Internal Server Error"}`}
}
