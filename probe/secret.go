package probe

import (
	"bytes"
	"net/url"
	"os"
	"strings"
)

// secret returns what a source has: a file is read anew each time, without the
// space around it. Errors are *Failures.
func (t *trial) secret(s SecretSource) (string, error) {
	text, err := t.text(string(s.Value), s.File)
	t.hide(text)
	return text, err
}

// text returns a value, or what is in the file if there is one.
func (t *trial) text(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", failed(PhaseAuth, ReasonCredentials, "reading the secret: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// A text that is hidden has at least four bytes, since shorter ones would turn the
// log into gaps, and no more than the log's lines can have of it.
const (
	hidableFrom = 4
	hidableTo   = 64 << 10
)

// hide keeps a text out of the log and the failure.
func (t *trial) hide(secret string) {
	if len(secret) < hidableFrom || len(secret) > hidableTo {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hidden = append(t.hidden, secret)
	if escaped := url.QueryEscape(secret); escaped != secret {
		t.hidden = append(t.hidden, escaped)
	}
}

// redact replaces all that is to be hidden. It is the second line of defence: no
// secret is logged in the first place, but what a target answers may have one.
func (t *trial) redact(b []byte) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.hidden {
		b = bytes.ReplaceAll(b, []byte(s), []byte("<secret>"))
	}
	return b
}
