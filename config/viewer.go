package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Viewer is the page.
type Viewer struct {
	// PricePerMillionSamples is what a destination charges for samples
	// (price_per_million_samples, default 0.09), PricePerBillionQuerySamples for
	// those that queries read (price_per_billion_query_samples, default 0.1): what
	// Amazon Managed Prometheus charged in us-east-1 in November 2026.
	PricePerMillionSamples, PricePerBillionQuerySamples float64
	// Currency is that of both, three letters (currency, default USD).
	Currency string
	// ExternalURL is the address that browsers see, with the path that a proxy puts
	// before ours (external_url, default none: the address listened on, no path).
	ExternalURL string
	// SignIn lets people sign in (sign_in).
	SignIn SignIn
}

// SignIn is an OpenID provider at which people sign in. What they may do the rules
// of auth.oidc say that have its issuer, and its client_id among their audiences.
type SignIn struct {
	Issuer       string   // a URL (issuer, default none: nobody signs in)
	ClientID     string   // client_id
	ClientSecret Secret   // client_secret, default none: a public client
	Scopes       []string // asked for besides openid (scopes, default email, profile)
	// Session is how long a session lasts (session, default 12h).
	Session time.Duration
	// Keys seal sessions; the first one seals, the others still open (keys, default
	// one that is made and kept in the data directory).
	Keys   []Secret
	CAFile string // authorities of the issuer's TLS certificate (ca_file, default the system's)
}

// amount is a sum of money.
type amount struct{ p *float64 }

func (v amount) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		return
	}
	*v.p = f
}
func (v amount) String() string { return strconv.FormatFloat(*v.p, 'f', -1, 64) }
func (v amount) wants() string  { return "a number from 0 on" }

// currency is a code of ISO 4217.
type currency struct{ p *string }

func (v currency) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	letters := len(s) == 3
	for _, c := range s {
		letters = letters && 'A' <= c && c <= 'Z'
	}
	if !letters {
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		return
	}
	*v.p = s
}
func (v currency) String() string { return *v.p }
func (v currency) wants() string  { return "three letters such as USD" }

// address of the web, or nothing.
type webURL struct{ p *string }

func (v webURL) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok || s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if path == "viewer.external_url" && slices.Contains(ownPaths(), first) {
		r.errorf(n, path, "its path begins with /%s, which is one of narthex's own: choose another", first)
		return
	}
	*v.p = s
}

// ownPaths are what narthex's own paths begin with: whether a proxy has taken such a
// path off could not be told.
func ownPaths() []string {
	return []string{"-", "aggregate", "api", "assets", "backends", "docs", "metrics", "probe", "v1"}
}

func (v webURL) String() string { return orNone(*v.p) }
func (v webURL) wants() string  { return "a URL such as https://metrics.example/narthex" }

// phrase is any text, or nothing.
type phrase struct {
	p    *string
	want string
}

func (v phrase) read(r *reader, path string, n *yaml.Node) {
	if s, ok := r.scalar(path, n, v.want); ok {
		*v.p = s
	}
}
func (v phrase) String() string { return orNone(*v.p) }
func (v phrase) wants() string  { return v.want }

// phrases is a list of texts.
type phrases struct{ p *[]string }

func (v phrases) read(r *reader, path string, n *yaml.Node) { *v.p = r.oneOrMore(path, n, v.wants()) }
func (v phrases) String() string                            { return orNone(strings.Join(*v.p, ", ")) }
func (v phrases) wants() string                             { return "a list of words" }

// minKey is how many bytes a key for sessions has at least.
const minKey = 32

// secrets are keys, of which the first one is used.
type secrets struct{ p *[]Secret }

func (v secrets) read(r *reader, path string, n *yaml.Node) {
	var out []Secret
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		var s Secret
		before := r.Problems()
		secret{&s}.read(r, path, n)
		if r.Problems() == before && len(s) < minKey {
			r.errorf(n, path, "it has %d bytes, want at least %d random ones: openssl rand -base64 32 makes some", len(s), minKey)
		}
		out = append(out, s)
	})
	*v.p = out
}
func (v secrets) String() string { return fmt.Sprint(len(*v.p), " keys") }
func (v secrets) wants() string  { return "a list of secrets such as ${SESSION_KEY}" }

// signIn checks what must hold between the settings of a sign-in.
func (r *reader) signIn() {
	s := r.config.Viewer.SignIn
	line := r.config.set["viewer.sign_in.issuer"]
	if s.Issuer == "" || r.wrong["auth.oidc"] || r.wrong["viewer.sign_in.issuer"] {
		return
	}
	if s.ClientID == "" {
		r.add(line, "viewer.sign_in.client_id is missing: it is what narthex is called at the issuer")
		return
	}
	for _, o := range r.config.Auth.OIDC {
		if o.Issuer == s.Issuer && slices.Contains(o.Audience, s.ClientID) {
			return
		}
	}
	r.add(line, "viewer.sign_in: no rule of auth.oidc says what people may do: add {issuer: "+s.Issuer+", audience: "+s.ClientID+", claims: {…}, name_claim: email, scopes: [query]}")
}
