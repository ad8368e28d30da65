package remotewrite

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options say where and how a [Client] sends. Only URL is needed.
type Options struct {
	// URL is the receiver's address, with the path. A user and a password in it
	// are sent as basic authentication.
	URL string
	// Name is what logs and errors call the destination; default is the URL
	// without what may be secret.
	Name string
	// Version is the protocol to speak. 0 finds out: it is 2.0 with a way back to
	// 1.0, and 1.0 at once for Amazon Managed Service for Prometheus, which does
	// not document 2.0. V2 tries 2.0 there as well. The way back is open even then:
	// a receiver of 1.0 may answer 2xx to 2.0 and store nothing.
	Version Version
	// Transport sends the requests; authentication and signing come in by it.
	// Default is one of its own, with http.DefaultTransport's settings.
	Transport http.RoundTripper
	// Headers are added to each request. They may not be the protocol's own.
	Headers map[string]string
	// UserAgent defaults to narthex.
	UserAgent string
	// Timeout bounds one request. Default 30 s.
	Timeout time.Duration
	// MaxSamples and MaxBytes bound a request: its samples, and its length before
	// compression. Defaults 2,000 and 1 MiB. A single sample is sent whatever it
	// takes.
	MaxSamples int
	MaxBytes   int
	// Concurrency is how many requests are under way at once. Those of one series
	// are sent one after the other. Default 4.
	Concurrency int
	// MinBackoff and MaxBackoff bound the pause before a request is sent again,
	// which doubles. Defaults 30 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// MaxAttempts and MaxElapsed bound how often and for how long one request is
	// sent again; the context's deadline bounds it too. Defaults: no limit, 30 s.
	MaxAttempts int
	MaxElapsed  time.Duration
	// NoMetadata, NoExemplars and NoNativeHistograms switch off what some
	// receivers do not take. Native histograms are rejected then, by name.
	NoMetadata, NoExemplars, NoNativeHistograms bool
	// RetryV2 is how long after the way back to 1.0 the client tries 2.0 again.
	// Default 6 h.
	RetryV2 time.Duration
	// MetadataEvery is how often 1.0 repeats a metric's type, help and unit.
	// Default 1 min.
	MetadataEvery time.Duration
	// Logger takes what an operator should know; nil means slog.Default().
	Logger *slog.Logger
	// Now is the clock for what is remembered over hours; nil means time.Now.
	Now func() time.Time
}

func (o *Options) exemplars() bool        { return !o.NoExemplars }
func (o *Options) nativeHistograms() bool { return !o.NoNativeHistograms }

func (o Options) withDefaults() Options {
	duration := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	number := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	duration(&o.Timeout, 30*time.Second)
	duration(&o.MinBackoff, 30*time.Millisecond)
	duration(&o.MaxBackoff, 5*time.Second)
	duration(&o.MaxElapsed, 30*time.Second)
	duration(&o.RetryV2, 6*time.Hour)
	duration(&o.MetadataEvery, time.Minute)
	number(&o.MaxSamples, 2000)
	number(&o.MaxBytes, 1<<20)
	o.MaxBytes = min(o.MaxBytes, maxDecoded/2) // 1.0 takes up to twice the room of 2.0
	number(&o.Concurrency, 4)
	if o.UserAgent == "" {
		o.UserAgent = "narthex"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// reserved reports whether a header belongs to the protocol or the connection.
func reserved(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding", "User-Agent", "Host", "Connection", HeaderVersion:
		return true
	}
	return false
}

// endpoint is a checked address with all that a request to it has in common.
type endpoint struct {
	url    *url.URL
	shown  string // for people
	amazon bool
	header map[Version]http.Header
}

func newEndpoint(o *Options) (*endpoint, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // the whole would show a password
		}
		return nil, fmt.Errorf("remote write: the URL can't be read: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("remote write: the URL %s has to be of the form https://host/path", redact(u))
	}
	e := &endpoint{url: u, shown: redact(u), amazon: strings.HasPrefix(u.Hostname(), "aps-workspaces."), header: make(map[Version]http.Header)}
	common := make(http.Header)
	if u.User != nil {
		password, _ := u.User.Password()
		common.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
		bare := *u
		bare.User = nil
		e.url = &bare
	}
	for name, value := range o.Headers {
		if reserved(name) {
			return nil, fmt.Errorf("remote write to %s: the header %s belongs to the protocol and can't be set", e.shown, http.CanonicalHeaderKey(name))
		}
		common.Set(name, value)
	}
	common.Set("User-Agent", o.UserAgent)
	common.Set("Content-Encoding", ContentEncoding)
	for v, version := range map[Version]string{V1: HeaderVersionV1, V2: HeaderVersionV2} {
		h := common.Clone()
		h.Set("Content-Type", v.ContentType())
		h.Set(HeaderVersion, version)
		e.header[v] = h
	}
	return e, nil
}

// redact returns the address without what may be secret: user, password, query.
func redact(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
