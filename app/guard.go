package app

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"narthex/internal/message"
	"narthex/internal/reply"
)

// guard keeps web pages of other origins out. A browser can be made to send
// requests to loopback by any page its user visits (cross-site request
// forgery), also under a name that the page's owner points there (DNS
// rebinding); so the Host must be an address or a name that is ours, and a
// request that changes something must not come from another origin.
func (a *App) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	deny := func(w http.ResponseWriter, _ *http.Request) {
		reply.Error(w, http.StatusForbidden, "forbidden", "a web page of another origin sent this request: narthex takes those of its own pages and of programs only")
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
		if foreign(r) {
			deny(w, r)
			return
		}
		checked.ServeHTTP(w, r)
	})
}

// foreign reports whether a page of another origin has its visitor's browser send
// this: to have narthex probe something, or make queries that cost much and whose
// answers the page can't even read. A link that somebody follows is let through, but
// for probes: that is a GET that does something.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site != "cross-site" && site != "same-site" {
		return false
	}
	follows := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !follows || r.URL.Path == "/probe"
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
