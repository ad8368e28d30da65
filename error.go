package narthex

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a caller can do about an [Error].
type Kind uint8

// The kinds of error.
const (
	Invalid     Kind = iota + 1 // the input is wrong; sending it again won't help
	Conflict                    // the ID was used before with another body
	TooLarge                    // the input is over a limit
	Unavailable                 // not now: try again later
	Limited                     // the sender is over its rate: try again after a while
	Forbidden                   // the sender is known, and may not do that
)

// Error is an error for the one who sent the data.
type Error struct {
	Kind  Kind
	After time.Duration // how long to wait before trying again; 0 is not known
	Msg   string        // a sentence: what went wrong, where, and what to do
	Err   error         // the cause, if there is one; its text is part of Msg
}

// Error returns the message.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error of the kind. A %w verb sets the cause, as in
// fmt.Errorf.
func Errorf(kind Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// KindOf returns the kind of the first *Error in err's chain, 0 if there is
// none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// IsRejected reports whether err will come back however often the same batch
// is written.
func IsRejected(err error) bool {
	switch KindOf(err) {
	case Invalid, Conflict, TooLarge, Forbidden:
		return true
	}
	return false
}
