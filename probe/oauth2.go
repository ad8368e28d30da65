package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tokenBody     = 1 << 20 // of a token service's answer, in bytes
	tokenLeeway   = 10 * time.Second
	tokenLifetime = 5 * time.Minute // of a token that does not say when it ends
)

// token is an access token.
type token struct {
	kind, access string
	ends         time.Time
}

// header returns the value of Authorization.
func (t *token) header() string {
	switch {
	case t.kind == "", strings.EqualFold(t.kind, "bearer"):
		return "Bearer " + t.access
	case strings.EqualFold(t.kind, "mac"):
		return "MAC " + t.access
	case strings.EqualFold(t.kind, "basic"):
		return "Basic " + t.access
	}
	return t.kind + " " + t.access
}

// tokens are the access tokens of all modules, which last from probe to probe.
type tokens struct {
	mu      sync.Mutex
	entries map[*OAuth2]*tokenEntry
}

// tokenEntry is held while a token is fetched, so that probes that need it at the
// same time fetch it once.
type tokenEntry struct {
	busy   chan struct{} // has room for the one who holds it
	token  *token
	secret string // that it was fetched with
	inBody bool   // the service wants the credentials there
}

func (ts *tokens) entry(config *OAuth2) *tokenEntry {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.entries == nil {
		ts.entries = make(map[*OAuth2]*tokenEntry)
	}
	e := ts.entries[config]
	if e == nil {
		e = &tokenEntry{busy: make(chan struct{}, 1)}
		ts.entries[config] = e
	}
	return e
}

// lock waits for the entry, as long as ctx lasts.
func (e *tokenEntry) lock(ctx context.Context) error {
	select {
	case e.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return failed(PhaseAuth, ReasonTimeout, "another probe was fetching the OAuth token until the time was up")
	}
}

func (e *tokenEntry) unlock() { <-e.busy }

// token returns an access token: the last one while it is good. Fetching one is
// timed apart: probe_oauth2_token_duration_seconds, 0 if none had to be fetched.
// fresh says that one was. Errors are *Failures.
func (t *trial) token(ctx context.Context, config *OAuth2, agent string) (_ *token, fresh bool, _ error) {
	took := t.gauge("probe_oauth2_token_duration_seconds", "Duration of fetching the OAuth 2.0 token, 0 if the last one was still good")
	took.Set(0)
	secret, err := t.secret(config.ClientSecret)
	if err != nil {
		return nil, false, err
	}
	e := t.prober.tokens.entry(config)
	if err := e.lock(ctx); err != nil {
		return nil, false, err
	}
	defer e.unlock()
	if e.token == nil || e.secret != secret || t.prober.o.Now().After(e.token.ends) {
		t.log.Debug("fetching an OAuth token", "client_id", config.ClientID)
		begun := time.Now()
		e.token, err = t.fetchToken(ctx, e, config, secret, agent)
		took.Set(time.Since(begun).Seconds())
		if err != nil {
			return nil, false, asTokenFailure(ctx, err)
		}
		e.secret, fresh = secret, true
	}
	t.hide(e.token.access)
	return e.token, fresh, nil
}

// fetchToken asks the token service, with the credentials in a header or, if it
// does not want them there, in the body, and remembers how.
//
// Source: RFC 6749, sections 2.3.1 and 4.4.
func (t *trial) fetchToken(ctx context.Context, e *tokenEntry, config *OAuth2, secret, agent string) (*token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(config.Scopes) > 0 {
		form.Set("scope", strings.Join(config.Scopes, " "))
	}
	for name, value := range config.EndpointParams {
		if form.Has(name) && name != "grant_type" {
			return nil, failed(PhaseAuth, ReasonCredentials, "endpoint_params can't set %q", name)
		}
		form.Set(name, value)
	}
	got, err := t.askToken(ctx, config, form, secret, agent, e.inBody)
	if err != nil && !e.inBody && ctx.Err() == nil {
		var again error
		if got, again = t.askToken(ctx, config, form, secret, agent, true); again == nil {
			e.inBody, err = true, nil
		}
	}
	return got, err
}

func (t *trial) askToken(ctx context.Context, config *OAuth2, form url.Values, secret, agent string, inBody bool) (*token, error) {
	target, err := url.Parse(config.TokenURL)
	if err != nil {
		return nil, fmt.Errorf("token_url: %w", err)
	}
	if inBody {
		form.Set("client_id", config.ClientID)
		form.Set("client_secret", secret)
	}
	c, err := t.httpClient(ctx, clientOptions{Config: &HTTPClient{TLS: config.TLS, Proxy: config.Proxy, FollowRedirects: true, EnableHTTP2: true}, Target: target})
	if err != nil {
		return nil, err
	}
	defer c.close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if agent != "" {
		r.Header.Set("User-Agent", agent)
	}
	if !inBody {
		r.SetBasicAuth(url.QueryEscape(config.ClientID), url.QueryEscape(secret))
	}
	// It is not redirected: whoever it led to would see the credentials.
	resp, err := c.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenBody))
	if err != nil {
		return nil, err
	}
	return readToken(resp, body, t.prober.o.Now())
}

// readToken reads the answer of a token service. What it says of an error is not
// quoted but for its code, since it may repeat the credentials.
func readToken(resp *http.Response, body []byte, now time.Time) (*token, error) {
	var a struct {
		Access  string      `json:"access_token"`
		Kind    string      `json:"token_type"`
		Expires json.Number `json:"expires_in"`
		Error   string      `json:"error"`
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if (kind == "application/x-www-form-urlencoded" || kind == "text/plain") && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		form, _ := url.ParseQuery(string(body))
		a.Access, a.Kind, a.Expires, a.Error = form.Get("access_token"), form.Get("token_type"), json.Number(form.Get("expires_in")), form.Get("error")
	} else if err := json.Unmarshal(body, &a); err != nil && resp.StatusCode/100 == 2 {
		return nil, fmt.Errorf("the token service's answer is no JSON: %w", err)
	}
	switch {
	case resp.StatusCode/100 != 2, a.Error != "":
		return nil, failed(PhaseAuth, ReasonCredentials, "the token service answers %s %q", resp.Status, a.Error)
	case a.Access == "":
		return nil, failed(PhaseAuth, ReasonCredentials, "the token service's answer has no access_token")
	}
	ends := now.Add(tokenLifetime)
	if seconds, err := strconv.ParseInt(a.Expires.String(), 10, 32); err == nil && seconds > 0 {
		ends = now.Add(time.Duration(seconds)*time.Second - tokenLeeway)
	}
	return &token{kind: a.Kind, access: a.Access, ends: ends}, nil
}

// asTokenFailure keeps the reason, and says that it was the token that failed.
func asTokenFailure(ctx context.Context, err error) error {
	f := asFailure(ctx, err)
	if f.Phase == PhasePolicy {
		return f
	}
	return &Failure{Phase: PhaseAuth, Reason: f.Reason, Err: fmt.Errorf("fetching the OAuth token: %w", f.Err)}
}

// staleToken reports whether an answer refuses a token that was kept from an
// earlier probe, and forgets it.
func (c *client) staleToken(resp *http.Response) bool {
	config := c.o.Config.OAuth2
	if resp.StatusCode != http.StatusUnauthorized || config == nil {
		return false
	}
	e := c.t.prober.tokens.entry(config)
	if e.lock(resp.Request.Context()) != nil {
		return false
	}
	defer e.unlock()
	kept := e.token != nil && !c.fresh
	e.token = nil
	return kept
}
