package viewer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// asset is a file of the build, ready to be sent.
type asset struct {
	kind  string // Content-Type
	cache string // Cache-Control
	etag  string // without quotes; the compressed form's has -gz after it
	plain []byte
	gz    []byte // nil if compressing saves nothing
}

// load reads all files and compresses them, once. The keys are URL paths.
// A file that can't be read is left out, as one that is not there.
func load(files fs.FS) map[string]asset {
	out := map[string]asset{}
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return nil
		}
		a := newAsset(name, body)
		out["/"+name] = a
		if name == "index.html" {
			out["/"] = a
		}
		return nil
	})
	return out
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	a := asset{kind: kindOf(name), cache: "no-cache", etag: hex.EncodeToString(sum[:12]), plain: body}
	if hashed(name) {
		a.cache = "public, max-age=31536000, immutable"
	}
	if gz := compress(body); len(gz) < len(body) {
		a.gz = gz
	}
	return a
}

// kindOf does not ask the machine's own table of types, which varies.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	return "application/octet-stream"
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil { // only for a level that does not exist
		return b
	}
	// A bytes.Buffer takes all that is written.
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", a.cache)
	body, tag := a.plain, a.etag
	if a.gz != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			body, tag = a.gz, a.etag+"-gz"
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if tag != a.etag {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the reader went away: nobody is left to tell
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3): gzip or * with
// a weight above zero; gzip's own weight counts more than that of *.
func acceptsGzip(values []string) bool {
	any := false
	for _, f := range fields(values) {
		coding, params, err := mime.ParseMediaType(f)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		ok := params["q"] == "" || err == nil && q > 0
		switch coding {
		case "gzip", "x-gzip":
			return ok
		case "*":
			any = ok
		}
	}
	return any
}

// matches reads If-None-Match (RFC 9110, section 13.1.2): the comparison is weak.
func matches(values []string, tag string) bool {
	for _, f := range fields(values) {
		if f == "*" || strings.TrimPrefix(f, "W/") == `"`+tag+`"` {
			return true
		}
	}
	return false
}

func fields(values []string) []string {
	var out []string
	for f := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}
