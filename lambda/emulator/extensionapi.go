package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// The Extensions API.
//
// Source: "Using the Lambda Extensions API to create extensions", and for the
// names of errors AWS's runtime interface emulator.

const extensionID = "Lambda-Extension-Identifier"

// register takes an extension: an external one by its file's name, before the
// runtime is started, and any other name as one within the runtime, while it
// starts.
func (i *Instance) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("Lambda-Extension-Name")
	body, err := readUpTo(r.Body, 1<<20)
	var want struct{ Events []string }
	switch {
	case name == "":
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name")
		return
	case err != nil || json.Unmarshal(body, &want) != nil:
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", "Could not parse the request's body")
		return
	}
	a := newAgent(name)
	for _, e := range want.Events {
		if e != "INVOKE" && e != "SHUTDOWN" {
			refuse(w, http.StatusForbidden, "Extension.InvalidEventType", fmt.Sprintf("%s: Extension.InvalidEventType", e))
			return
		}
		a.events[e] = true
	}
	if kind, message := i.admit(a); kind != "" {
		refuse(w, http.StatusForbidden, kind, message)
		return
	}
	w.Header().Set(extensionID, a.id)
	answer := map[string]string{"functionName": i.f.o.Name, "functionVersion": version, "handler": i.f.o.Handler}
	if r.Header.Get("Lambda-Extension-Accept-Feature") == "accountId" {
		answer["accountId"] = Account
	}
	accept(w, http.StatusOK, answer)
}

// admit adds an extension, or says why not.
func (i *Instance) admit(a *agent) (kind, message string) {
	i.change(func() {
		for _, p := range i.processes {
			if p.name == a.name {
				a.process = p
			}
		}
		started := i.runtime.ready || i.now != nil
		switch {
		case slices.ContainsFunc(i.extensions, func(e *agent) bool { return e.name == a.name }):
			kind, message = "Extension.AlreadyRegistered", "Extension "+a.name+" has registered already"
		case a.process != nil && i.opened, started:
			kind, message = "Extension.RegistrationClosed", "Extension registration closed already"
		case a.process == nil && a.events["SHUTDOWN"]:
			kind, message = "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN: Extension.InvalidEventType"
		case a.process == nil && len(i.extensions) >= maxExtensions:
			kind, message = "Extension.TooManyExtensions", "Extension limit (10) reached"
		default:
			i.extensions = append(i.extensions, a)
		}
	})
	return kind, message
}

// caller returns the extension that a request is from, or answers why there is
// none.
func (i *Instance) caller(w http.ResponseWriter, r *http.Request) *agent {
	id := r.Header.Get(extensionID)
	if id == "" {
		refuse(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range i.extensions {
		if e.id == id {
			return e
		}
	}
	refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
	return nil
}

// nextEvent blocks until there is an event for the extension.
func (i *Instance) nextEvent(w http.ResponseWriter, r *http.Request) {
	a := i.caller(w, r)
	if a == nil {
		return
	}
	d, ok := i.awaitNext(r, a)
	if !ok {
		return
	}
	event := map[string]any{"deadlineMs": d.deadline.UnixMilli()}
	if d.in == nil {
		event["eventType"], event["shutdownReason"] = "SHUTDOWN", d.shutdown
	} else {
		event["eventType"], event["requestId"], event["invokedFunctionArn"] = "INVOKE", d.in.id, i.f.ARN()
		event["tracing"] = map[string]string{"type": "X-Amzn-Trace-Id", "value": d.in.trace}
	}
	w.Header().Set("Lambda-Extension-Event-Identifier", newID())
	accept(w, http.StatusOK, event)
}

// takeExtensionError takes why an extension could not start or ends. It exits
// then, and the instance with it.
func (i *Instance) takeExtensionError(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := i.caller(w, r)
		if a == nil {
			return
		}
		reported := r.Header.Get("Lambda-Extension-Function-Error-Type")
		if reported == "" {
			refuse(w, http.StatusForbidden, "Extension.MissingHeader", "Missing Lambda-Extension-Function-Error-Type header")
			return
		}
		i.fail(&fault{kind: kind, message: fmt.Sprintf("Error: the extension %s reported %s", a.name, reported)})
		accept(w, http.StatusAccepted, statusOK())
	}
}
