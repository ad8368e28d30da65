package aws

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Options say how to reach AWS. The zero Options take all from the environment
// and the profile, as the SDKs do.
type Options struct {
	Region string // "": AWS_REGION, AWS_DEFAULT_REGION, or the profile's
	// Endpoint is where all services but STS are. "": AWS_ENDPOINT_URL_<SERVICE>,
	// AWS_ENDPOINT_URL, the profile's endpoint_url, or AWS's own, as for STS.
	Endpoint string
	Profile  string // "": the usual search, with AWS_PROFILE

	RoleARN     string // a role to assume with what was found, or ""
	ExternalID  string // what the role's trust policy asks for, or ""
	SessionName string // how CloudTrail names the session; "": AWS_ROLE_SESSION_NAME or "narthex"

	Credentials Provider // nil: the usual search; see the package's comment

	// VirtualHosts puts the bucket into the host of an Endpoint too.
	VirtualHosts bool
	// Attempts is how often a request is sent at most; 0 is 6.
	Attempts int
	// AttemptTimeout is how long one attempt may take, beside a second for each
	// MiB there and back; 0 is 30 s. Answers that are streamed have it for their
	// beginning only.
	AttemptTimeout time.Duration

	Getenv   func(string) string // nil: os.Getenv
	Now      func() time.Time    // nil: time.Now
	HTTP     http.RoundTripper   // nil: a transport of this session's own
	Metadata http.RoundTripper   // for the container's and the machine's endpoint; nil: one without a proxy
}

// Session is one account's credentials, region and endpoints. It may be used
// by several goroutines.
type Session struct {
	region      string
	credentials *Cache
	options     Options
	profile     profile      // the profile chosen, which may have an endpoint_url
	http        *http.Client // for the services
	metadata    *http.Client // for what is beside us
	skew        atomic.Int64 // of AWS's clock against ours, in nanoseconds
}

// Open returns a session. It reads the environment and the profiles, and goes
// to the network only once a request is made.
func Open(o Options) (*Session, error) {
	o.SessionName = strings.TrimSpace(o.SessionName)
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Attempts == 0 {
		o.Attempts = 6
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = 30 * time.Second
	}
	o.SessionName = cmp.Or(o.SessionName, o.Getenv("AWS_ROLE_SESSION_NAME"), "narthex")
	s := &Session{options: o, http: newClient(o.HTTP, true), metadata: newClient(o.Metadata, false)}
	profiles, err := readProfiles(o.Getenv)
	if err != nil {
		return nil, err
	}
	s.profile = profiles[cmp.Or(o.Profile, o.Getenv("AWS_PROFILE"), "default")]
	s.region = cmp.Or(o.Region, o.Getenv("AWS_REGION"), o.Getenv("AWS_DEFAULT_REGION"), s.profile["region"])
	if s.region == "" {
		return nil, fmt.Errorf("no AWS region is set: set AWS_REGION, or region in the profile")
	}
	if !plainName(s.region) {
		return nil, fmt.Errorf("%q is not an AWS region: one reads like eu-central-1", s.region)
	}
	source := o.Credentials
	if source == nil {
		source = &chain{session: s, profiles: profiles}
	}
	if o.RoleARN != "" {
		source = &assumed{session: s, source: s.cache(source), role: Role{ARN: o.RoleARN, ExternalID: o.ExternalID, SessionName: o.SessionName}}
	}
	s.credentials = s.cache(source)
	return s, nil
}

// Region returns the session's region.
func (s *Session) Region() string { return s.region }

// Credentials implements [Provider].
func (s *Session) Credentials(ctx context.Context) (Credentials, error) {
	return s.credentials.Credentials(ctx)
}

// now is the time by AWS's clock, as far as it is known.
func (s *Session) now() time.Time { return s.options.Now().Add(time.Duration(s.skew.Load())) }

// cache keeps what a provider gives, by this session's clock.
func (s *Session) cache(p Provider) *Cache {
	if c, ok := p.(*Cache); ok {
		return c
	}
	return &Cache{Source: p, Now: s.now}
}

// endpoint returns where a service is. name is how AWS_ENDPOINT_URL_<NAME>
// spells it; own tells whether the endpoint is not AWS's.
func (s *Session) endpoint(name string) (u *url.URL, own bool, err error) {
	o := s.options
	if name == "sts" {
		o.Endpoint = ""
	}
	variable := "AWS_ENDPOINT_URL_" + strings.ToUpper(name)
	if name == "secretsmanager" { // as the SDKs spell it
		variable = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
	}
	text := cmp.Or(o.Endpoint, o.Getenv(variable), o.Getenv("AWS_ENDPOINT_URL"), s.profile["endpoint_url"])
	if strings.EqualFold(o.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		text = o.Endpoint
	}
	if text == "" {
		return &url.URL{Scheme: "https", Host: name + "." + s.region + "." + domain(s.region)}, false, nil
	}
	u, err = url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, true, fmt.Errorf("the endpoint of %s is not an address like https://host:port: check AWS_ENDPOINT_URL", name)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, true, nil
}

// domain returns the DNS suffix of a region's partition.
func domain(region string) string {
	for _, p := range []struct{ prefix, domain string }{
		{"cn-", "amazonaws.com.cn"},
		{"us-isob-", "sc2s.sgov.gov"},
		{"us-isof-", "csp.hci.ic.gov"},
		{"us-iso-", "c2s.ic.gov"},
		{"eu-isoe-", "cloud.adc-e.uk"},
		{"eusc-", "amazonaws.eu"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.domain
		}
	}
	return "amazonaws.com"
}

// plainName reports whether s can be one label of a host name.
func plainName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// newClient returns a client that follows no redirect: the signature would not
// fit, and whoever is redirected to would see it.
func newClient(t http.RoundTripper, proxy bool) *http.Client {
	if t == nil {
		own := &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			MaxIdleConns:          128,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
			ForceAttemptHTTP2:     true,
		}
		if proxy {
			own.Proxy = http.ProxyFromEnvironment
		}
		t = own
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// as returns a session that differs in its credentials.
func (s *Session) as(p Provider) *Session {
	other := &Session{region: s.region, options: s.options, profile: s.profile, http: s.http, metadata: s.metadata}
	other.skew.Store(s.skew.Load())
	other.credentials = other.cache(p)
	return other
}
