package lambda

import (
	"bytes"
	"compress/gzip"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// minPacked is from how many bytes on compressing an answer pays: below it the
// gain is lost to base64, which a compressed body needs here.
const minPacked = 2 << 10

// pack compresses the answer's body if the sender takes gzip and it pays.
func (a *answer) pack(e *httpEvent) {
	if a.over || len(a.body) < minPacked || !bodyAllowed(e.method, a.code) || a.header.Get("Content-Encoding") != "" || a.header.Get("Content-Range") != "" {
		return
	}
	if !compressible(a.header.Get("Content-Type")) {
		return
	}
	a.header.Add("Vary", "Accept-Encoding")
	if !acceptsGzip(e.header) {
		return
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil { // the level is right
		return
	}
	_, _ = w.Write(a.body) // to memory
	if w.Close() != nil || out.Len()/3*4 >= len(a.body) {
		return
	}
	a.body = out.Bytes()
	a.header.Set("Content-Encoding", "gzip")
	if tag := a.header.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		a.header.Set("Etag", "W/"+tag) // other bytes of the same meaning
	}
}

// acceptsGzip reports whether the sender takes gzip (RFC 9110, 12.5.3).
func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return weight == "" || err == nil && q > 0
		}
	}
	return false
}

// compressible reports whether a type is one whose content gets smaller.
func compressible(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/json", "application/javascript", "application/xml", "application/openmetrics-text", "image/svg+xml":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json")
}
