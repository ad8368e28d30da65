package proxy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// list is an answer whose data is a list, on its way.
type list struct {
	in       *json.Decoder
	left     *io.LimitedReader
	out      *bufio.Writer
	most     int
	n        int
	warnings []string
	status   string
	null     bool // its data is null
}

// relayList hands on a list as it comes, and cuts it where it is too long.
func (b *Backend) relayList(w http.ResponseWriter, in io.Reader, form url.Values) int {
	most := b.o.MaxResults
	if n, err := strconv.Atoi(form.Get("limit")); err == nil && n > 0 {
		most = min(most, n)
	}
	left := &io.LimitedReader{R: in, N: b.o.MaxAnswer}
	l := &list{in: json.NewDecoder(left), left: left, most: most, out: bufio.NewWriterSize(w, 32<<10)}
	if err := l.begin(); err != nil {
		return fail(w, &problem{http.StatusBadGateway, "unavailable", b.o.Name + ": " + err.Error()})
	}
	jsonHeader(w)
	w.WriteHeader(http.StatusOK)
	_, _ = l.out.WriteString(`{"status":"success","data":[`) // bufio keeps the first error for Flush
	if !l.null {
		l.elements()
	}
	_, _ = l.out.WriteString("]")
	if len(l.warnings) > 0 {
		text, _ := json.Marshal(l.warnings) // texts always marshal
		_, _ = l.out.WriteString(`,"warnings":` + string(text))
	}
	_, _ = l.out.WriteString("}\n")
	_ = l.out.Flush() // an error means that the sender has left
	return http.StatusOK
}

// begin reads up to the list's first element.
func (l *list) begin() error {
	if t, err := l.in.Token(); err != nil || t != json.Delim('{') {
		return errNotAPI
	}
	for l.in.More() {
		key, err := l.in.Token()
		if err != nil {
			return errNotAPI
		}
		if key != "data" {
			if err := l.other(key); err != nil {
				return err
			}
			continue
		}
		if l.status != "" && l.status != "success" {
			return errNotAPI
		}
		switch t, err := l.in.Token(); {
		case err != nil:
			return errNotAPI
		case t == nil: // null: nothing is there
			l.null = true
			return nil
		case t == json.Delim('['):
			return nil
		}
		return errNotAPI
	}
	return errNotAPI
}

var errNotAPI = errors.New("its answer is not that of Prometheus's API: check query.url")

// other reads a member of the answer beside its data.
func (l *list) other(key json.Token) error {
	switch key {
	case "status":
		return l.decode(&l.status)
	case "warnings", "infos":
		return l.decode(&l.warnings)
	}
	var skipped json.RawMessage
	return l.decode(&skipped)
}

func (l *list) decode(v any) error {
	if l.in.Decode(v) != nil {
		return errNotAPI
	}
	return nil
}

// elements copies elements until the list ends or is long enough.
func (l *list) elements() {
	var raw json.RawMessage
	for l.in.More() {
		if l.n >= l.most {
			l.warnings = append(l.warnings, fmt.Sprintf("results truncated due to limit: there are more than %d", l.n))
			return
		}
		if err := l.in.Decode(&raw); err != nil {
			break
		}
		if l.n++; l.n > 1 {
			_ = l.out.WriteByte(',')
		}
		_, _ = l.out.Write(raw)
	}
	if t, err := l.in.Token(); err == nil && t == json.Delim(']') {
		l.end()
		return
	}
	why := "the backend's answer ended too early"
	if l.left.N <= 0 {
		why = "the answer is larger than what is read of one"
	}
	l.warnings = append(l.warnings, fmt.Sprintf("results truncated: %s; these are the first %d", why, l.n))
}

// end reads what stands behind the list.
func (l *list) end() {
	for l.in.More() {
		key, err := l.in.Token()
		if err != nil || l.other(key) != nil {
			return
		}
	}
}
