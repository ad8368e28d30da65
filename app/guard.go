package app

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"narthex/internal/message"
	"narthex/internal/reply"
	"narthex/push"
)

// guard keeps web pages of other origins out. A browser can be made to send
// requests to loopback by any page its user visits (cross-site request
// forgery), also under a name that the page's owner points there (DNS
// rebinding); so the Host must be an address or a name that is ours, and a
// request that changes something must not come from another origin.
func (a *App) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	deny := func(w http.ResponseWriter, _ *http.Request) {
		reply.Error(w, http.StatusForbidden, "forbidden", "a web page of another origin sent this request: narthex takes changes from its own pages and from programs only")
	}
	origin.SetDenyHandler(http.HandlerFunc(deny))
	base := external(a.o.Config)
	if base != nil {
		_ = origin.AddTrustedOrigin(base.Scheme + "://" + base.Host) // config has read it
	}
	checked := origin.Handler(a.authenticate(a.admit(deliver(next))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.o.AnyHost && !a.knownHost(r.Host) {
			reply.Error(w, http.StatusMisdirectedRequest, "forbidden", "the Host "+message.Quote(r.Host)+" is not a name of this server: use its address or localhost, or add the name to hosts in the configuration")
			return
		}
		// A probe is a GET that does something.
		if site := r.Header.Get("Sec-Fetch-Site"); r.URL.Path == "/probe" && (site == "cross-site" || site == "same-site") {
			deny(w, r)
			return
		}
		checked.ServeHTTP(w, r)
	})
}

// knownHost reports whether a request for host is meant for this server: no
// name that a stranger can point at it. An address can't be rebound.
func (a *App) knownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if net.ParseIP(host) != nil || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if own, _, err := net.SplitHostPort(a.o.Config.Listen); err == nil && host == strings.ToLower(own) && host != "" {
		return true
	}
	if base := external(a.o.Config); base != nil && strings.EqualFold(base.Hostname(), host) {
		return true
	}
	return slices.ContainsFunc(a.o.Config.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// maxInHand is how many bytes of request bodies are in memory at a time. What is
// made of a body can take a dozen times its size.
const maxInHand = 64 << 20

// admit bounds the memory of all requests together: each weighs what its body
// may have.
func (a *App) admit(next http.Handler) http.Handler {
	limit := a.o.Config.Limits.Body
	size := max(maxInHand, limit)
	share := size // without authentication all are one sender
	if a.o.Access.Required() {
		share = max(size/4*3, limit)
	}
	room := newRoom(size, share)
	busy := a.stats.CounterVec("narthex_http_busy_total", "Requests that were answered 429 because too many were under way.")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Queries bound their forms themselves and are not to wait for pushes.
		if r.Method == http.MethodGet || r.Method == http.MethodHead || isQuery(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		weight := max(weightOf(r, limit), 4<<10)
		who, _ := IdentityOf(r)
		if !room.take(r.Context(), who, weight) {
			busy().Add(1)
			w.Header().Set("Retry-After", "2")
			reply.Error(w, http.StatusTooManyRequests, "too_busy", "too many requests are under way: try again in a moment, with the same id")
			return
		}
		defer room.give(who, weight)
		next.ServeHTTP(w, r)
	})
}

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

// IsLoopback reports whether only programs on this machine can connect to the
// listen address.
func IsLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
