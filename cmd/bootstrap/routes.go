package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"narthex"
)

// routes returns what the function answers HTTP requests with.
func routes(getenv func(string) string, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "narthex is healthy.\n") // to memory
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, refusal{ErrorType: "not_found",
			Error: "this function answers POST /api/v1/push and GET /-/healthy; ask the narthex behind it for anything else"})
	})
	up, err := newUpstream(getenv("NARTHEX_URL"), getenv("NARTHEX_UPSTREAM_AUTHORIZATION"))
	if err != nil {
		logger.Error("pushes can't be relayed", "err", err)
		mux.HandleFunc("/api/v1/push", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			refuse(w, http.StatusServiceUnavailable, refusal{ErrorType: "unavailable", Error: "pushes can't be relayed: " + err.Error()})
		})
		return mux
	}
	mux.Handle("/api/v1/push", newRelay(up, logger))
	return mux
}

// refusal is the body of an answer other than 2xx, as package push writes it.
type refusal struct {
	Status    string              `json:"status"` // "error"
	ErrorType string              `json:"errorType"`
	Error     string              `json:"error"`
	ID        string              `json:"id,omitempty"`
	Rejected  []narthex.Rejection `json:"rejected,omitempty"`
}

func refuse(w http.ResponseWriter, code int, r refusal) {
	r.Status = "error"
	answer(w, code, r)
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // to memory
}
