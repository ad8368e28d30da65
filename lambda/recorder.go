package lambda

import (
	"bytes"
	"errors"
	"net/http"
	"sync"
)

// recorder is the http.ResponseWriter of an invocation. It keeps what the
// handler writes until the handler is done or is left behind.
type recorder struct {
	method string
	room   int         // bytes of the body that are kept
	header http.Header // the handler's alone until it is done

	mu        sync.Mutex // guards what follows
	sent      answer
	buf       bytes.Buffer
	abandoned bool
}

var errTooLarge = errors.New("the answer is larger than Lambda allows")

// packs is how many times smaller a body may get on its way: answers are text.
const packs = 4

// newRecorder returns the recorder of an event's answer.
func newRecorder(e *httpEvent) *recorder {
	room := e.shape.most()
	if acceptsGzip(e.header) {
		room *= packs
	}
	return &recorder{method: e.method, room: room, header: http.Header{}}
}

// Header implements [http.ResponseWriter].
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. Informational codes are dropped:
// Lambda has no way to send them.
func (w *recorder) WriteHeader(code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(code)
}

func (w *recorder) writeHeader(code int) {
	if w.sent.code == 0 && code >= http.StatusOK {
		w.sent.code, w.sent.header = code, w.header.Clone()
	}
}

// Write implements [http.ResponseWriter]. It fails once the answer has become
// too large for Lambda, or the function's time is up.
func (w *recorder) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	switch {
	case w.abandoned:
		return 0, http.ErrHandlerTimeout
	case w.method == http.MethodHead: // written all the same, never sent
		return len(p), nil
	case !bodyAllowed(w.method, w.sent.code):
		return 0, http.ErrBodyNotAllowed
	case w.sent.over || w.buf.Len()+len(p) > w.room:
		w.sent.over = true
		w.buf = bytes.Buffer{}
		return 0, errTooLarge
	}
	return w.buf.Write(p)
}

// answer returns what the handler, which is done, has written.
func (w *recorder) answer() *answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	a := w.sent
	a.body = w.buf.Bytes()
	return &a
}

// abandon drops what a handler that is not done writes from now on.
func (w *recorder) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abandoned = true
	w.buf = bytes.Buffer{}
}
