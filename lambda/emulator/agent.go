package emulator

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// agent is the runtime or an extension: one that asks for the next event.
type agent struct {
	name, id string          // of an extension
	events   map[string]bool // that it wants
	process  *process        // nil of an extension within the runtime
	next     chan delivery   // capacity 1: it waits for one at most

	ready bool // it waits; under the instance's lock
}

// delivery is what an agent gets: an invocation, or the reason of a shutdown.
type delivery struct {
	in       *invocation
	shutdown string
	deadline time.Time
}

func newAgent(name string) *agent {
	return &agent{name: name, id: newID(), events: make(map[string]bool), next: make(chan delivery, 1)}
}

func (a *agent) eventNames() []string { return slices.Sorted(maps.Keys(a.events)) }

// deliver hands an invocation to the runtime and the extensions that want it,
// all of which wait. The lock is held.
func (i *Instance) deliver(in *invocation) {
	give := func(a *agent) {
		a.ready = false
		a.next <- delivery{in: in, deadline: in.deadline}
	}
	give(i.runtime)
	for _, e := range i.extensions {
		if e.events["INVOKE"] {
			give(e)
		}
	}
}

// awaitNext returns what an agent gets next, false if it has hung up.
func (i *Instance) awaitNext(r *http.Request, a *agent) (delivery, bool) {
	i.change(func() { a.ready = true })
	select {
	case d := <-a.next:
		return d, true
	case <-r.Context().Done():
		i.change(func() { a.ready = false })
		return delivery{}, false
	}
}

// routes are the APIs that processes of an instance see at
// AWS_LAMBDA_RUNTIME_API.
func (i *Instance) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", i.nextInvocation)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", i.takeResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", i.takeError)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", i.takeInitError)
	mux.HandleFunc("POST /2020-01-01/extension/register", i.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", i.nextEvent)
	mux.HandleFunc("POST /2020-01-01/extension/init/error", i.takeExtensionError("Extension.InitError"))
	mux.HandleFunc("POST /2020-01-01/extension/exit/error", i.takeExtensionError("Extension.ExitError"))
	mux.HandleFunc("PUT /2022-07-01/telemetry", i.subscribe)
	mux.HandleFunc("PUT /2022-07-01/telemetry/", i.subscribe)
	return mux
}

// refuse answers an error as Lambda's APIs word them.
func refuse(w http.ResponseWriter, code int, errorType, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(errorPayload(errorType, message)) // the process has ended
}

// accept answers what is taken.
func accept(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // strings and lists of them
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(text) // the process has ended
}

func statusOK() map[string]string { return map[string]string{"status": "OK"} }

// errOver is of a body beyond the limit.
var errOver = errors.New("too large")

// readUpTo reads a body of at most so many bytes.
func readUpTo(r io.Reader, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(body) > limit {
		err = errOver
	}
	return body, err
}

// errorType returns what a process reports of its error: the header, or the
// body's errorType.
func errorType(r *http.Request, header string, body []byte) string {
	if t := r.Header.Get(header); t != "" {
		return t
	}
	var e struct{ ErrorType string }
	_ = json.Unmarshal(body, &e) // another form has none
	if e.ErrorType = strings.TrimSpace(e.ErrorType); e.ErrorType == "" {
		return "Runtime.Unknown"
	}
	return e.ErrorType
}
