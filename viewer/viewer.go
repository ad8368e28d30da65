// Package viewer serves narthex's page: the list of metrics, one metric with its
// chart, its series and its stored samples, PromQL, probes, and what has arrived.
//
// The page is written in TypeScript under web/ and its build is committed under
// viewer/dist, so that a program built by plain go install has it. In the
// browser it talks to Prometheus's HTTP API at api/v1/ beside it and to nothing
// else. All its addresses are relative, so it works below any path:
//
//	mux.Handle("/", viewer.Handler(viewer.Options{}))
//	mux.Handle("/metrics-of/shop/", http.StripPrefix("/metrics-of/shop", viewer.Handler(viewer.Options{})))
//
// The path must end in a slash; [http.ServeMux] redirects to it.
//
// Every answer forbids what the page does not need: other origins, inline
// script and style, framing. Metric names and label values come from whoever
// pushes, so this holds even if one of them reached the page as markup.
package viewer

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// Options say what is served. The zero value serves the embedded build.
type Options struct {
	// Assets is a build to serve in place of the embedded one: index.html and
	// assets/, whose files must have a hash of their content in their names. It
	// is read once, by [Handler].
	Assets fs.FS
}

// Handler returns the page's handler. It answers GET and HEAD for the files of
// the build and 404 for all else, also for directories.
func Handler(o Options) http.Handler {
	files := o.Assets
	if files == nil {
		files = embedded()
	}
	return handler{assets: load(files)}
}

func embedded() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil { // only for a name that is no valid path
		return dist
	}
	return sub
}

type handler struct{ assets map[string]asset }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	a, ok := h.assets[r.URL.Path]
	switch {
	case !ok:
		fail(w, http.StatusNotFound, "not_found", "there is nothing at this path; the page is at /, Prometheus's API below /api/v1/")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "bad_data", "the page can only be read: use GET")
	default:
		a.serve(w, r)
	}
}

// policy lets the page load its own files and call its own origin. Trusted
// types make the browser refuse any string as markup. There is no
// 'unsafe-inline': styles are set through the DOM, which the policy allows.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=()")
}

// fail answers as Prometheus's API does.
func fail(w http.ResponseWriter, status int, kind, text string) {
	body, err := json.Marshal(map[string]string{"status": "error", "errorType": kind, "error": text})
	if err != nil { // strings always marshal
		body = []byte(`{"status":"error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// hashed reports whether a file's name changes with its content.
func hashed(name string) bool { return strings.HasPrefix(name, "assets/") }
