package push

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"narthex"
	"narthex/internal/message"
	"narthex/internal/reply"
)

// badData is the error type of what the sender did wrong, as in Prometheus's
// API.
const badData = "bad_data"

// answer is an error with the status code and the error type to answer it with,
// for those that no [narthex.Kind] stands for.
type answer struct {
	code      int
	errorType string
	msg       string
}

func (a *answer) Error() string { return a.msg }

// fail answers the error in JSON.
func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	a := d.answerOf(w, r, err)
	reply.Error(w, a.code, a.errorType, a.msg)
}

// answerOf returns how to answer the error, and sets the headers for that. An
// error that is none of the sender's business is logged instead of told.
func (d *door) answerOf(w http.ResponseWriter, r *http.Request, err error) *answer {
	var a *answer
	if !errors.As(err, &a) {
		a = &answer{msg: err.Error()}
		switch narthex.KindOf(err) {
		case narthex.Invalid:
			a.code, a.errorType = http.StatusBadRequest, badData
		case narthex.Conflict:
			a.code, a.errorType = http.StatusUnprocessableEntity, "conflict"
		case narthex.TooLarge:
			a.code, a.errorType = http.StatusRequestEntityTooLarge, "too_large"
		case narthex.Forbidden:
			a.code, a.errorType = http.StatusForbidden, "forbidden"
		case narthex.Limited:
			a.code, a.errorType = http.StatusTooManyRequests, "limited"
			w.Header().Set("Retry-After", retryAfter(err))
		case narthex.Unavailable:
			a.code, a.errorType = http.StatusServiceUnavailable, "unavailable"
		default:
			a.code, a.errorType = http.StatusServiceUnavailable, "unavailable"
			a.msg = "the push could not be stored: try again later, with the same id"
		}
	}
	if a.code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
		if r.Context().Err() == nil { // else the sender has left
			d.Logger.Error("a push could not be stored", "path", r.URL.Path, "err", err)
		}
	}
	return a
}

// retryAfter returns the seconds to wait that the error says, at least one.
func retryAfter(err error) string {
	var e *narthex.Error
	if !errors.As(err, &e) {
		return "1"
	}
	return strconv.Itoa(max(1, int(math.Ceil(e.After.Seconds()))))
}

// allowed reports whether the request has one of the methods, and answers it
// otherwise.
func (d *door) allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	allow := strings.Join(methods, ", ")
	w.Header().Set("Allow", allow)
	d.fail(w, r, &answer{http.StatusMethodNotAllowed, "method_not_allowed", "the method " + message.Quote(r.Method) + " is not allowed here: use " + allow})
	return false
}
