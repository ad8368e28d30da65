package aws

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What an [Error] may be, for errors.Is.
var (
	// ErrNotFound: there is no such object, bucket, queue, table, role, parameter or
	// secret.
	ErrNotFound = errors.New("not found")
	// ErrPrecondition: the object or item is not as the condition wants it.
	ErrPrecondition = errors.New("the condition does not hold")
	// ErrNotModified: the object is still the one of IfNoneMatch.
	ErrNotModified = errors.New("not modified")
	// ErrTooLarge: the answer is larger than was asked for.
	ErrTooLarge = errors.New("larger than the limit")
	// ErrDenied: the credentials are wrong, have ended, or don't allow it.
	ErrDenied = errors.New("access denied")
)

// Error is a request that failed. It carries no secrets.
type Error struct {
	Service   string // as in a credential scope: "s3"
	Op        string // as in the service's reference: "PutObject"
	Resource  string // what it was about: "s3://bucket/key", "" if nothing
	Status    int    // of HTTP; 0 if there was no answer
	Code      string // the service's word for it: "NoSuchKey"
	Message   string // the service's sentence, its first 300 bytes
	RequestID string // for AWS's support
	Attempts  int    // how often it was sent; from 2 on, an earlier one may have had its effect
	Err       error  // the fault of the network, or what was wrong with the answer

	after time.Duration // what Retry-After said
	date  time.Time     // the service's clock
}

// Error says what was asked, of whom, and what the answer was.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Service, e.Op)
	if e.Resource != "" {
		b.WriteString(" " + e.Resource)
	}
	b.WriteString(":")
	if e.Status != 0 {
		fmt.Fprintf(&b, " %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(" " + e.Err.Error())
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.Attempts)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is tells the sentinels of this package.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound || oneOf(e.Code, "ResourceNotFoundException", "ParameterNotFound", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
	case ErrPrecondition:
		return e.Status == http.StatusPreconditionFailed || e.Code == "ConditionalCheckFailedException"
	case ErrNotModified:
		return e.Status == http.StatusNotModified
	case ErrDenied:
		return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || oneOf(e.Code, "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "MissingAuthenticationTokenException")
	}
	return false
}

func oneOf(s string, list ...string) bool {
	for _, x := range list {
		if s == x {
			return true
		}
	}
	return false
}

// throttled reports whether the service asks to be left alone for a while. The
// codes are those of the SDKs.
func (e *Error) throttled() bool {
	return e.Status == http.StatusTooManyRequests || oneOf(e.Code,
		"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"TooManyRequestsException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
		"BandwidthLimitExceeded", "SlowDown", "PriorRequestNotComplete", "TransactionInProgressException",
		"KmsThrottled", "KMS.ThrottlingException")
}

// passing reports whether the same request may succeed later. S3 answers with a
// conflict while it is at another request for the same key, whatever comes of that
// one; it has looked at no condition then.
func (e *Error) passing() bool {
	if e.Status == 0 {
		return !errors.Is(e.Err, ErrTooLarge)
	}
	return e.Status >= 500 && e.Status != http.StatusNotImplemented || e.throttled() ||
		oneOf(e.Code, "RequestTimeout", "RequestTimeoutException", "IDPCommunicationError", "ConditionalRequestConflict", "OperationAborted")
}

// expired reports whether the credentials have ended, which newer ones mend.
func (e *Error) expired() bool {
	return oneOf(e.Code, "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
}

// read fills in what an answer's header and body say.
func (e *Error) read(h http.Header, body []byte) {
	e.RequestID = h.Get("X-Amz-Request-Id")
	if e.RequestID == "" {
		e.RequestID = h.Get("X-Amzn-Requestid")
	}
	e.after = retryAfter(h.Get("Retry-After"))
	body = bytes.TrimSpace(body)
	switch {
	case bytes.HasPrefix(body, []byte("<")):
		e.readXML(body)
	case bytes.HasPrefix(body, []byte("{")):
		e.readJSON(body)
	default:
		e.Message = short(string(body))
	}
	if t := h.Get("X-Amzn-Errortype"); e.Code == "" && t != "" {
		e.Code = code(t)
	}
	if e.Code == "" && e.Message == "" {
		e.Message = http.StatusText(e.Status)
	}
	if region := h.Get("X-Amz-Bucket-Region"); region != "" && (e.Status/100 == 3 && e.Status != http.StatusNotModified || e.Code == "AuthorizationHeaderMalformed") {
		e.Message += "; the bucket is in the region " + short(region) + ": set AWS_REGION to that"
	}
}

// readXML reads S3's form, <Error><Code>, and STS's, which has an element more.
func (e *Error) readXML(body []byte) {
	var x struct {
		Code, Message string
		RequestID     string `xml:"RequestId"`
		Error         struct{ Code, Message string }
	}
	if xml.Unmarshal(body, &x) != nil {
		return
	}
	if x.Code == "" {
		x.Code, x.Message = x.Error.Code, x.Error.Message
	}
	e.Code, e.Message = short(x.Code), short(x.Message)
	if e.RequestID == "" {
		e.RequestID = short(x.RequestID)
	}
}

// readJSON reads the form of the JSON protocols, whose spelling varies.
func (e *Error) readJSON(body []byte) {
	var x struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Code    string `json:"code"`
	}
	if json.Unmarshal(body, &x) != nil {
		return
	}
	if x.Type == "" {
		x.Type = x.Code
	}
	e.Code, e.Message = code(x.Type), short(x.Message)
}

// code takes "QueueDoesNotExist" out of "com.amazonaws.sqs#QueueDoesNotExist:…".
func code(s string) string {
	s, _, _ = strings.Cut(s, ":")
	if i := strings.LastIndexByte(s, '#'); i >= 0 {
		s = s[i+1:]
	}
	return short(s)
}

// short bounds a text from outside to its first line. What follows in the
// complaint about a signature repeats the request's headers, the session token
// among them.
func short(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
