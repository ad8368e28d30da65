package query

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// maxBody bounds a POSTed form.
const maxBody = 1 << 20

// handler answers one request, whose form has been parsed.
type handler func(r *http.Request) (answer, error)

// answer is what a handler found.
type answer struct {
	data     any
	warnings annotations.Annotations
	close    func() // if not nil, called once data is written
}

// apiError is an error with Prometheus's errorType and an HTTP status.
type apiError struct {
	status int
	typ    string
	err    error
}

func (e *apiError) Error() string { return e.err.Error() }
func (e *apiError) Unwrap() error { return e.err }

func badData(err error) error { return &apiError{http.StatusBadRequest, "bad_data", err} }

func badParam(name string, err error) error {
	return badData(fmt.Errorf("invalid parameter %q: %w", name, err))
}

func notFound(format string, args ...any) error {
	return &apiError{http.StatusNotFound, "not_found", fmt.Errorf(format, args...)}
}

// classify gives an error of the engine or the storage its type.
func classify(err error) *apiError {
	var known *apiError
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var store promql.ErrStorage
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return &apiError{http.StatusServiceUnavailable, "timeout", err}
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return &apiError{http.StatusServiceUnavailable, "canceled", err}
	case errors.As(err, &store):
		return &apiError{http.StatusInternalServerError, "internal", err}
	}
	return &apiError{http.StatusUnprocessableEntity, "execution", err}
}

// fixed answers the same always.
func fixed(data any) handler {
	return func(*http.Request) (answer, error) { return answer{data: data}, nil }
}

// handle checks the method and the form, bounds the time and writes what h
// returns.
func (a *API) handle(h handler, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.opts.Timeout)
		defer cancel()
		r = r.WithContext(ctx)
		var res answer
		err := a.parse(w, r, methods)
		if err == nil {
			res, err = h(r)
		}
		if res.close != nil {
			defer res.close()
		}
		if err != nil {
			a.writeError(w, classify(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := write(w, res, r.Form.Get("query")); err != nil {
			a.opts.Logger.Debug("an answer could not be written", "path", r.URL.Path, "err", err)
		}
	})
}

// parse checks the request's method and reads its form.
func (a *API) parse(w http.ResponseWriter, r *http.Request, methods []string) error {
	if method := r.Method; !slices.Contains(methods, method) && method != http.MethodHead {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return &apiError{http.StatusMethodNotAllowed, "bad_data", fmt.Errorf("method %s is not allowed here, use %s", method, strings.Join(methods, " or "))}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &apiError{http.StatusRequestEntityTooLarge, "bad_data", fmt.Errorf("the form is longer than %d bytes", tooLarge.Limit)}
	}
	if err != nil {
		return badData(fmt.Errorf("error parsing form values: %w", err))
	}
	return nil
}

func (a *API) writeError(w http.ResponseWriter, e *apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	err := json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": e.typ, "error": e.Error()})
	if err != nil {
		a.opts.Logger.Debug("an error could not be written", "err", err)
	}
}

// write writes the envelope of a success. The data is written as it is walked,
// so that a large answer isn't held in memory twice.
func write(w http.ResponseWriter, res answer, query string) error {
	warnings, infos := res.warnings.AsStrings(query, 10, 10)
	out := &encoder{w: bufio.NewWriterSize(w, 32<<10)}
	out.raw(`{"status":"success","data":`)
	switch data := res.data.(type) {
	case *result:
		out.result(data)
	default:
		out.json(data)
	}
	if len(warnings) > 0 {
		out.raw(`,"warnings":`).json(warnings)
	}
	if len(infos) > 0 {
		out.raw(`,"infos":`).json(infos)
	}
	out.raw("}\n")
	return errors.Join(out.err, out.w.Flush())
}
