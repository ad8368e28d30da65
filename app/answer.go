package app

import (
	"encoding/json"
	"net/http"
)

// writeError answers as Prometheus's API does.
func writeError(w http.ResponseWriter, code int, errorType, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": errorType, "error": msg})
}
