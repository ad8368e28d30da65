package app

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"

	"narthex/internal/reply"
	"narthex/push"
)

// maxInHand is how many bytes of request bodies are in memory at a time. What is
// made of a body can take a dozen times its size.
const maxInHand = 64 << 20

// What is worked on at a time. More would not be done sooner: with some hundred
// requests every core has work and each write of the log has company, and beyond it
// each waits for all others. Who comes then stands in line, and who finds the line
// full is told at once to come back, which costs little; so that whatever comes, those
// who are let in are done in time.
const (
	maxAtWork = 256
	maxInLine = maxConnections // a burst on all of them; see room for what does not end
	// A request waits for room for its body, and then for its turn.
	roomPatience = 5 * time.Second
	turnPatience = 2 * time.Second
)

// wholeBody is up to which size a body is read before it is its request's turn, so
// that slow senders do not take the turns of others. Of larger ones maxInHand lets in
// no more than maxAtWork.
const wholeBody = maxInHand / maxAtWork

// admit bounds the memory of all requests together, for each weighs what its body may
// have, and how many are worked on at a time. Beyond it the answer is 429.
func (a *App) admit(next http.Handler) http.Handler {
	limit := a.o.Config.Limits.Body
	size := max(maxInHand, limit)
	share, turns := size, int64(maxAtWork) // without authentication all are one sender
	if a.o.Access.Required() {
		share, turns = max(size/4*3, limit), maxAtWork/4*3
	}
	room := newRoom(size, share, maxInLine, roomPatience)
	work := newRoom(maxAtWork, turns, maxInLine, turnPatience)
	busy := a.stats.CounterVec("narthex_http_busy_total", "Requests that were answered 429 because too many were under way.")
	turnAway := func(w http.ResponseWriter) {
		busy().Add(1)
		w.Header().Set("Retry-After", "2")
		reply.Error(w, http.StatusTooManyRequests, "too_busy", "too many requests are under way: try again in a moment, with the same id")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Queries bound their forms themselves and are not to wait for pushes.
		if r.Method == http.MethodGet || r.Method == http.MethodHead || isQuery(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		weight := max(weightOf(r, limit), 4<<10)
		who, _ := IdentityOf(r)
		if !room.take(r.Context(), who, weight) {
			turnAway(w)
			return
		}
		defer room.give(who, weight)
		readWhole(r)
		if !work.take(r.Context(), who, 1) {
			turnAway(w)
			return
		}
		defer work.give(who, 1)
		next.ServeHTTP(w, r)
	})
}

// readWhole reads the body of a request, if it is small, and puts what it was in its
// place, errors included.
func readWhole(r *http.Request) {
	if r.ContentLength <= 0 || r.ContentLength > wholeBody {
		return
	}
	body := make([]byte, r.ContentLength)
	n, err := io.ReadFull(r.Body, body)
	var rest io.Reader = bytes.NewReader(body[:n])
	if err != nil {
		rest = io.MultiReader(rest, failing{err})
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{rest, r.Body}
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// weightOf returns how many bytes the body may have once it is decompressed.
// Remote write is snappy whatever its header says; OTLP's attributes and buckets
// unfold to more than what other bodies make.
func weightOf(r *http.Request, limit int64) int64 {
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case r.ContentLength < 0:
		return limit
	case encoding == "snappy" || r.URL.Path == push.WritePath:
		return min(limit, push.SnappyRatio*min(limit, r.ContentLength))
	case encoding != "":
		return limit
	case r.URL.Path == push.OTLPPath:
		return min(limit, 4*min(limit, r.ContentLength))
	}
	return min(limit, r.ContentLength)
}

func isQuery(path string) bool {
	if i := strings.Index(path, "/api/v1/"); i > 0 && strings.HasPrefix(path, "/backends/") {
		path = path[i:]
	}
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	return ok && (strings.HasPrefix(rest, "query") || rest == "labels" || rest == "series" || strings.HasSuffix(rest, "_query"))
}
