package push

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"narthex"
	"narthex/internal/message"
)

// maxID is the longest id in bytes.
const maxID = 256

func checkID(id string) error {
	switch {
	case len(id) > maxID:
		return narthex.Errorf(narthex.Invalid, "the id has %d bytes, the limit is %d", len(id), maxID)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }):
		return narthex.Errorf(narthex.Invalid, "the id %s has characters that can't be printed", message.Quote(id))
	}
	return nil
}

// pickID returns the push's id: that of the body, that of the header
// Idempotency-Key, or a random one. The header may be a string as in structured
// fields, that is, in quotes (draft-ietf-httpapi-idempotency-key-header).
func pickID(r *http.Request, body string) (string, error) {
	header := r.Header.Get("Idempotency-Key")
	if n := len(header); n >= 2 && header[0] == '"' && header[n-1] == '"' {
		header = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(header[1 : n-1])
	}
	switch {
	case header != "" && body != "" && header != body:
		return "", narthex.Errorf(narthex.Invalid,
			"the header Idempotency-Key is %s but the body's id is %s: send one of them, or both alike", message.Quote(header), message.Quote(body))
	case body != "":
		return body, nil
	case header != "":
		return header, checkID(header)
	}
	random := make([]byte, 16)
	rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random), nil
}
