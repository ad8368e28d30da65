package auth

import "fmt"

// Error says why a sender was not identified. Its text is a sentence for the
// sender and has no secret in it.
type Error struct {
	Reason Reason
	msg    string
}

// Error returns the sentence.
func (e *Error) Error() string { return e.msg }

// Reason is why, as a word for programs and metrics.
type Reason string

// The reasons.
const (
	None        Reason = "none"        // nothing that identifies was sent
	Malformed   Reason = "malformed"   // it can't be read
	Unknown     Reason = "unknown"     // it is of nobody known here, or wrong
	Expired     Reason = "expired"     // its time is over, or has not begun
	Refused     Reason = "refused"     // it is good, but no rule takes it
	Unavailable Reason = "unavailable" // it can't be checked now: try again
)

func refuse(why Reason, format string, args ...any) *Error {
	return &Error{why, fmt.Sprintf(format, args...)}
}
