package main

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// plain writes text in which others may have a say (a server's answer, a name) to a
// terminal, with control characters written out: some would make the terminal do
// things.
type plain struct{ to io.Writer }

// Write implements [io.Writer].
func (w plain) Write(p []byte) (int, error) {
	if !bytes.ContainsFunc(p, control) {
		return w.to.Write(p)
	}
	var b bytes.Buffer
	for rest := p; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if control(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.Write(rest[:n])
		}
		rest = rest[n:]
	}
	if _, err := w.to.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

func control(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
