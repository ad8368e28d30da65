package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"narthex/internal/message"
	"narthex/internal/reply"
)

// endpoint is something that may be asked for.
type endpoint struct {
	posts  bool     // a form may be posted
	list   bool     // its data is a list, which may be cut
	params []string // that go on
}

// endpoints are all there are, by what stands behind /api/v1/, but for the
// values of a label. What reads a server's configuration, flags or targets is
// not here, nor what changes something.
//
// Source: Prometheus, "HTTP API"; Amazon Managed Service for Prometheus,
// "Prometheus-compatible APIs".
func endpoints() map[string]endpoint {
	times := []string{"start", "end"}
	return map[string]endpoint{
		"query":              {posts: true, params: []string{"query", "time", "timeout", "limit", "lookback_delta", "stats"}},
		"query_range":        {posts: true, params: []string{"query", "start", "end", "step", "timeout", "limit", "lookback_delta", "stats"}},
		"query_exemplars":    {posts: true, params: append([]string{"query"}, times...)},
		"format_query":       {posts: true, params: []string{"query"}},
		"parse_query":        {posts: true, params: []string{"query"}},
		"labels":             {posts: true, list: true, params: append([]string{"match[]", "limit"}, times...)},
		"series":             {posts: true, list: true, params: append([]string{"match[]", "limit"}, times...)},
		"metadata":           {params: []string{"metric", "limit", "limit_per_metric"}},
		"rules":              {params: []string{"type", "rule_name[]", "rule_group[]", "file[]", "exclude_alerts", "match[]", "group_limit", "group_next_token"}},
		"alerts":             {},
		"status/buildinfo":   {},
		"status/runtimeinfo": {},
		"status/tsdb":        {params: []string{"limit"}},
	}
}

func labelValues() endpoint {
	return endpoint{list: true, params: []string{"match[]", "start", "end", "limit"}}
}

// problem is an error with what to answer.
type problem struct {
	code      int
	errorType string
	msg       string
}

func (p *problem) Error() string { return p.msg }

func badData(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "bad_data", fmt.Sprintf(format, args...)}
}

// fail answers an error and returns its status code.
func fail(w http.ResponseWriter, err error) int {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{http.StatusInternalServerError, "internal", err.Error()}
	}
	reply.Error(w, p.code, p.errorType, p.msg)
	return p.code
}

const (
	maxForm  = 1 << 20 // bytes of a posted form
	maxValue = 128 << 10
	maxLabel = 1024
)

// form returns those of the request's parameters that go on.
func (e endpoint) form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead, e.posts && r.Method == http.MethodPost:
	default:
		allow := "GET"
		if e.posts {
			allow = "GET, POST"
		}
		w.Header().Set("Allow", allow)
		return nil, &problem{http.StatusMethodNotAllowed, "bad_data", "the method " + message.Quote(r.Method) + " is not allowed here: use " + allow}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, &problem{http.StatusRequestEntityTooLarge, "bad_data", fmt.Sprintf("the form is longer than %d bytes", maxForm)}
	case err != nil:
		return nil, badData("the parameters can't be read: %v", err)
	}
	out := make(url.Values)
	for _, name := range e.params {
		for _, v := range r.Form[name] {
			if len(v) > maxValue || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return nil, badData("the parameter %s is longer than %d bytes, or no text", name, maxValue)
			}
			out.Add(name, v)
		}
	}
	return out, nil
}

// path returns what stands behind /api/v1/. It has no character in it that a
// server could take for more than a name.
func (e endpoint) path(r *http.Request, name string) (string, error) {
	if name != "label_values" {
		return name, nil
	}
	label := r.PathValue("name")
	if label == "" || len(label) > maxLabel || !utf8.ValidString(label) {
		return "", badData("the name of the label %s is empty, longer than %d bytes or no text", message.Quote(label), maxLabel)
	}
	return "label/" + escaped(label) + "/values", nil
}

// escaped writes a label's name as Prometheus 3 has it in paths: one that is more
// than letters, digits and underscores as U__ with the numbers of the others.
//
// Source: prometheus/common, model.EscapeName, ValueEncodingEscaping.
func escaped(label string) string {
	plain := func(i int, c rune) bool {
		return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9'
	}
	runes := []rune(label)
	if !slices.ContainsFunc(runes, func(c rune) bool { return !plain(1, c) }) && plain(0, runes[0]) {
		return label
	}
	var b strings.Builder
	b.WriteString("U__")
	for i, c := range runes {
		switch {
		case c == '_':
			b.WriteString("__")
		case plain(i, c):
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, "_%x_", c)
		}
	}
	return b.String()
}

// locally answers what needs no server.
func (b *Backend) locally(w http.ResponseWriter, name string, form url.Values) (code int, done bool) {
	var data any
	var err error
	switch {
	case name == "format_query" && b.o.Format != nil:
		data, err = b.o.Format(form.Get("query"))
	case name == "parse_query" && b.o.Parse != nil:
		data, err = b.o.Parse(form.Get("query"))
	default:
		return 0, false
	}
	if err != nil {
		return fail(w, badData("invalid parameter \"query\": %v", err)), true
	}
	reply.JSON(w, http.StatusOK, map[string]any{"status": "success", "data": data})
	return http.StatusOK, true
}
