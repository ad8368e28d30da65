package function

import (
	"io"
	"log/slog"
	"net/http"

	"narthex/internal/reply"
)

// routes returns what a function in front of another narthex answers HTTP
// requests with.
func routes(getenv func(string) string, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", healthy)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply.Fail(w, http.StatusNotFound, reply.Failure{ErrorType: "not_found",
			Error: "this function answers POST /api/v1/push and GET /-/healthy; ask the narthex behind it for anything else"})
	})
	up, err := newUpstream(getenv("NARTHEX_URL"), getenv("NARTHEX_UPSTREAM_AUTHORIZATION"))
	if err != nil {
		logger.Error("pushes can't be relayed", "err", err)
		mux.HandleFunc("/api/v1/push", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			reply.Fail(w, http.StatusServiceUnavailable, reply.Failure{ErrorType: "unavailable", Error: "pushes can't be relayed: " + err.Error()})
		})
		return mux
	}
	mux.Handle("/api/v1/push", newRelay(up, logger))
	return mux
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "narthex is healthy.\n") // to memory
}
