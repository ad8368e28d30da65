// Package reply writes the answers of narthex's own HTTP API: JSON, and errors in
// the shape of Prometheus's API.
package reply

import (
	"encoding/json"
	"net/http"

	"narthex"
)

// Failure is the body of an error's answer.
type Failure struct {
	Status    string `json:"status"`    // "error"
	ErrorType string `json:"errorType"` // a word for programs
	Error     string `json:"error"`     // a sentence for people
	// SignIn is where a browser can sign in, from the page's own address.
	SignIn string `json:"signIn,omitempty"`
	// ID and Rejected are those of a push that was rejected whole.
	ID       string              `json:"id,omitempty"`
	Rejected []narthex.Rejection `json:"rejected,omitempty"`
}

// Error answers an error.
func Error(w http.ResponseWriter, code int, errorType, msg string) {
	Fail(w, code, Failure{ErrorType: errorType, Error: msg})
}

// Fail answers f, whose Status it sets.
func Fail(w http.ResponseWriter, code int, f Failure) {
	f.Status = "error"
	JSON(w, code, f)
}

// JSON answers v, which can be marshalled.
func JSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // an error means that the sender has left
}
