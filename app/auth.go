package app

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/auth"
	"narthex/auth/signin"
	"narthex/internal/reply"
)

// authenticate lets a request through if its sender may do what it asks for,
// and puts the identity into its context.
func (a *App) authenticate(next http.Handler) http.Handler {
	if a.o.Access == nil {
		return next
	}
	refused := a.stats.CounterVec("narthex_auth_refused_total", "Requests that were refused because of who sent them, or because that was not known.", "reason")
	return a.o.Access.Guard(next, func(reason string, r *http.Request) {
		refused(reason).Add(1)
		a.o.Logger.Debug("a request was refused", "reason", reason, "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr)
	})
}

// Guard lets a request through if its sender may do what it asks for, and puts
// the identity into its context ([IdentityOf]). refused is told of the others.
func (x *Access) Guard(next http.Handler, refused func(reason string, r *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wanted := wantedScopes(r.Method, r.URL.Path)
		if wanted == open || !x.Required() {
			next.ServeHTTP(w, r)
			return
		}
		r, id, err := x.identify(r)
		if err == nil && id.Scopes.Has(wanted) {
			next.ServeHTTP(w, r)
			return
		}
		var e *auth.Error
		if errors.As(err, &e) && e.Reason == auth.None && x.wantsSignIn(r) {
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Location", x.signIn.Start(r, r.URL.RequestURI()))
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		reason := auth.Refused
		if err == nil {
			err = fmt.Errorf("%s may not do this: it wants the scope %s, and what it has is %s", id.Name, strings.Join(wanted.Names(), " or "), id.Scopes)
			e = nil
		}
		switch {
		case (e == nil || e.Reason == auth.Refused) && x.wantsSignIn(r): // somebody who shows a page reads a page
			x.signIn.Page(w, r, http.StatusForbidden, "You are signed in, but may not come in here: "+err.Error()+".")
		case e == nil && id.Name != "":
			reply.Error(w, http.StatusForbidden, "forbidden", err.Error())
		default:
			reason = x.refuse(w, r, err)
		}
		refused(string(reason), r)
	})
}

// Open reports whether a request needs no scope.
func Open(r *http.Request) bool { return wantedScopes(r.Method, r.URL.Path) == open }

// refuse answers a sender who was not identified and returns the reason.
func (x *Access) refuse(w http.ResponseWriter, r *http.Request, err error) auth.Reason {
	var e *auth.Error
	if !errors.As(err, &e) {
		reply.Error(w, http.StatusInternalServerError, "internal", "who sent this could not be found out")
		return auth.Unavailable
	}
	switch e.Reason {
	case auth.Unavailable:
		w.Header().Set("Retry-After", "5")
		reply.Error(w, http.StatusServiceUnavailable, "unavailable", e.Error())
	case auth.Refused:
		reply.Error(w, http.StatusForbidden, "forbidden", e.Error())
	default:
		f := reply.Failure{ErrorType: "unauthorized", Error: e.Error()}
		if x.signIn != nil && e.Reason == auth.None {
			f.SignIn = strings.TrimPrefix(signin.Path, "/")
			if x.signIn.Has(r) {
				f.Error = "your session has ended: sign in again"
			}
		}
		for _, c := range x.auth.Challenges() {
			// A page's own request must not have the browser ask for a password.
			if strings.HasPrefix(c, "Basic") && x.signIn != nil && r.Header.Get("Sec-Fetch-Mode") != "" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
				continue
			}
			if e.Reason != auth.None && strings.HasPrefix(c, "Bearer") { // RFC 6750, section 3.1
				c += `, error="invalid_token"`
			}
			w.Header().Add("WWW-Authenticate", c)
		}
		reply.Fail(w, http.StatusUnauthorized, f)
	}
	return e.Reason
}

// front does what holds for all answers and requests: headers, the path that a
// proxy puts before ours, and what the web configuration file says.
func (a *App) front(next http.Handler) http.Handler {
	next = a.limited(next)
	base := external(a.o.Config)
	if base != nil && base.Path != "" {
		next = below(base.Path, next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, x := range secureHeaders {
			h.Set(x[0], x[1])
		}
		if base != nil && base.Scheme == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// secureHeaders are those of all answers. The page has a policy of its own.
var secureHeaders = [][2]string{
	{"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Permissions-Policy", "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=()"},
}

// below takes the path that a proxy puts before ours off, if it has left it there.
func below(base string, next http.Handler) http.Handler {
	strip := http.StripPrefix(base, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == base:
			http.Redirect(w, r, base+"/", http.StatusMovedPermanently)
		case strings.HasPrefix(r.URL.Path, base+"/"):
			strip.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// limited does what the web configuration file says of all answers and requests.
func (a *App) limited(next http.Handler) http.Handler {
	if a.o.Access == nil || a.o.Access.web == nil {
		return next
	}
	web := a.o.Access.web
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := web.Current()
		for name, value := range c.Headers {
			w.Header().Set(name, value)
		}
		if c.Limiter != nil && wantedScopes(r.Method, r.URL.Path) != open && !c.Limiter.Allow(time.Now()) {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(c.Limiter.Interval().Seconds()))))
			reply.Error(w, http.StatusTooManyRequests, "limited", "there are more requests than rate_limit of the web configuration file allows: try again later, with the same id")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// open is what needs no scope.
const open auth.Scopes = 0

// wantedScopes returns the scopes of which one lets a request through. Paths
// that are not known here are for those who may do anything.
//
// The path is the decoded one. The doors match it by its encoded segments, which
// for all that stands before a variable part comes to the same.
func wantedScopes(method, path string) auth.Scopes {
	reads := method == http.MethodGet || method == http.MethodHead
	switch path {
	case signin.Path, signin.CallbackPath, signin.OutPath:
		return open
	case "/-/healthy", "/-/ready":
		if reads {
			return open
		}
		return auth.Admin
	case "/api/v1/push", "/api/v1/write", "/api/v1/emf", "/v1/metrics":
		return auth.Push
	case "/probe":
		return auth.Probe
	case "/", "/index.html", "/metrics", "/api/v1/metrics", "/api/v1/status", "/api/v1/metadata", "/api/v1/rules", "/api/v1/alerts", "/api/v1/targets":
		if reads {
			return auth.Query
		}
	case "/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/format_query", "/api/v1/parse_query", "/api/v1/labels", "/api/v1/series":
		if reads || method == http.MethodPost {
			return auth.Query
		}
	}
	if below, ok := strings.CutPrefix(path, "/backends/"); ok { // another Prometheus API, and the page over it
		i := strings.IndexByte(below, '/')
		// None has backends of its own, and a path has room for thousands.
		if i >= 0 && !strings.HasPrefix(below[i:], "/backends/") && wantedScopes(method, below[i:]) == auth.Query {
			return auth.Query
		}
		return auth.Admin
	}
	for _, prefix := range []string{"/metrics/job/", "/metrics/job@base64/", "/aggregate/metrics/job/", "/aggregate/metrics/job@base64/"} {
		if strings.HasPrefix(path, prefix) {
			return auth.Push
		}
	}
	switch {
	case strings.HasPrefix(path, "/api/v1/probe/"):
		return auth.Probe
	case reads && (path == "/api/v1/receipts" || path == "/api/v1/arrivals" || strings.HasPrefix(path, "/api/v1/receipts/")):
		return auth.Push | auth.Query
	case reads && (strings.HasPrefix(path, "/assets/") || strings.HasPrefix(path, "/docs/") || strings.HasPrefix(path, "/api/v1/label/") || strings.HasPrefix(path, "/api/v1/status/")):
		return auth.Query
	}
	return auth.Admin
}

// IdentityOf returns who sent a request, and the labels that this forces.
func IdentityOf(r *http.Request) (string, narthex.Labels) {
	id, _ := auth.FromContext(r.Context())
	return id.Name, id.Labels
}

// readsAll reports whether the sender may see the receipts of others.
func readsAll(r *http.Request) bool {
	id, known := auth.FromContext(r.Context())
	return !known || id.Scopes.Has(auth.Query|auth.Admin)
}
