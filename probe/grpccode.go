package probe

import "fmt"

// grpcCode is a status code of gRPC.
type grpcCode int32

const (
	codeCanceled          grpcCode = 1
	codeUnknown           grpcCode = 2
	codeDeadlineExceeded  grpcCode = 4
	codePermissionDenied  grpcCode = 7
	codeResourceExhausted grpcCode = 8
	codeUnimplemented     grpcCode = 12
	codeInternal          grpcCode = 13
	codeUnavailable       grpcCode = 14
	codeUnauthenticated   grpcCode = 16
)

var grpcCodes = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// String returns the code's name with its number.
func (c grpcCode) String() string {
	if c < 0 || int(c) >= len(grpcCodes) {
		return fmt.Sprintf("the unknown code %d", int32(c))
	}
	return fmt.Sprintf("%s (%d)", grpcCodes[c], int32(c))
}

// grpcError is a call that has failed.
type grpcError struct {
	code grpcCode
	said string
}

func grpcErrorf(code grpcCode, format string, args ...any) error {
	return &grpcError{code, fmt.Errorf(format, args...).Error()}
}

// Error returns the code and what was said.
func (e *grpcError) Error() string { return e.code.String() + ": " + e.said }

func (e *grpcError) reason() Reason {
	if e.code == codeDeadlineExceeded {
		return ReasonTimeout
	}
	return ReasonStatus
}

// codeOfHTTP is the code of an answer that is not gRPC.
//
// Source: gRPC, http-grpc-status-mapping.md.
func codeOfHTTP(status int) grpcCode {
	switch status {
	case 400:
		return codeInternal
	case 401:
		return codeUnauthenticated
	case 403:
		return codePermissionDenied
	case 404:
		return codeUnimplemented
	case 429, 502, 503, 504:
		return codeUnavailable
	}
	return codeUnknown
}

// codeOfStream is the code of a stream that the peer has reset with an error of
// HTTP/2 (RFC 9113, section 7).
//
// Source: gRPC, PROTOCOL-HTTP2.md, "Errors".
func codeOfStream(code uint32) grpcCode {
	switch code {
	case 0x3, 0xb: // FLOW_CONTROL_ERROR, ENHANCE_YOUR_CALM
		return codeResourceExhausted
	case 0x7: // REFUSED_STREAM
		return codeUnavailable
	case 0x8: // CANCEL
		return codeCanceled
	case 0xc: // INADEQUATE_SECURITY
		return codePermissionDenied
	}
	return codeInternal
}
