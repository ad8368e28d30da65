package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"narthex/auth"
	"narthex/config"
	"narthex/internal/aws"
	"narthex/proxy"
)

// assumer signs requests with the credentials of a role that the person who
// signed in assumes: AWS is given the person's ID token, and CloudTrail names the
// person. Which role that is the configuration says, and nothing that the browser
// sends. It is an [http.RoundTripper].
type assumer struct {
	config  config.QuerySigV4
	service string
	policy  func(arn string) string
	sts     *aws.Session
	region  string
	next    http.RoundTripper
	own     http.RoundTripper // for those who did not sign in; nil refuses them
	now     func() time.Time

	mu      sync.Mutex
	bearers map[bearerKey]*bearer
}

type bearerKey struct{ person, role string }

// bearer is a person in a role.
type bearer struct {
	transport *aws.Transport
	used      time.Time

	mu      sync.Mutex
	token   string
	expires time.Time
}

// maxBearers is for how many people credentials are kept.
const maxBearers = 1000

func newAssumer(q config.Query, region, service string, next, own http.RoundTripper) (*assumer, error) {
	// STS takes the token for credentials; others must not be found by chance.
	s, err := aws.Open(aws.Options{Region: region, Credentials: aws.Credentials{AccessKeyID: "none", SecretAccessKey: "none"}})
	if err != nil {
		return nil, fmt.Errorf("sigv4: %w", err)
	}
	return &assumer{
		config: *q.SigV4, service: service, region: region, sts: s, next: next, own: own, now: time.Now,
		policy:  func(arn string) string { return sessionPolicy(q.URL, region, arn) },
		bearers: make(map[bearerKey]*bearer),
	}, nil
}

// RoundTrip implements [http.RoundTripper].
func (a *assumer) RoundTrip(r *http.Request) (*http.Response, error) {
	person, signedIn := auth.PersonFrom(r.Context())
	if !signedIn && a.own != nil {
		return a.own.RoundTrip(r)
	}
	if !signedIn {
		return nil, denied(http.StatusForbidden, "this Prometheus is read with the credentials of the person who signed in, which who shows a token is not (query.sigv4.others: server would take the server's own)")
	}
	for _, role := range a.config.Roles {
		if person.Fits(role.Claims) {
			return a.as(r.Context(), person, role.ARN).RoundTrip(r)
		}
	}
	return nil, denied(http.StatusForbidden, "no role of query.sigv4.roles is for you")
}

func denied(code int, format string, args ...any) error {
	return &proxy.CredentialsError{Code: code, Err: fmt.Errorf(format, args...)}
}

// as returns the transport of a person in a role.
func (a *assumer) as(ctx context.Context, p auth.Person, arn string) http.RoundTripper {
	id, _ := auth.FromContext(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	// An identity may be shared, such as that of a team; a person's token is not.
	name := a.sessionName(p, id.Name)
	sub, _ := p.Text("sub")
	key := bearerKey{fmt.Sprintf("%q %q %q", id.Name, sub, name), arn}
	b := a.bearers[key]
	if b == nil {
		b = new(bearer)
		source := provider(func(ctx context.Context) (aws.Credentials, error) { return a.assume(ctx, b, arn, name) })
		session, err := aws.Open(aws.Options{Region: a.region, Credentials: source})
		if err != nil { // as it was when this began
			return refusing{denied(http.StatusBadGateway, "sigv4: %w", err)}
		}
		b.transport = session.Transport(a.service, a.next)
		a.makeRoom()
		a.bearers[key] = b
	}
	b.used = a.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.Expires.After(b.expires) {
		b.token, b.expires = p.Token, p.Expires
	}
	return b.transport
}

// makeRoom forgets the person who has not asked for the longest time.
func (a *assumer) makeRoom() {
	if len(a.bearers) < maxBearers {
		return
	}
	var oldest bearerKey
	var when time.Time
	for key, b := range a.bearers {
		if when.IsZero() || b.used.Before(when) {
			oldest, when = key, b.used
		}
	}
	delete(a.bearers, oldest)
}

// assume trades the person's token for credentials of the role.
func (a *assumer) assume(ctx context.Context, b *bearer, arn, name string) (aws.Credentials, error) {
	b.mu.Lock()
	token, expires := b.token, b.expires
	b.mu.Unlock()
	if token == "" || !a.now().Before(expires) {
		return aws.Credentials{}, denied(http.StatusUnauthorized, "what your sign-in gave for AWS has ended: sign in again")
	}
	c, err := a.sts.STS().AssumeRoleWithWebIdentity(ctx, aws.Role{ARN: arn, SessionName: name, Duration: a.config.Session, Policy: a.policy(arn)}, token)
	var e *aws.Error
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &e) && (e.Code == "ExpiredTokenException" || e.Code == "ExpiredToken"):
		return c, denied(http.StatusUnauthorized, "what your sign-in gave for AWS has ended: sign in again")
	case errors.As(err, &e) && (errors.Is(err, aws.ErrDenied) || e.Code == "AccessDenied" || e.Code == "InvalidIdentityToken"):
		return c, denied(http.StatusForbidden, "AWS does not let you assume %s: %w; narthex viewer aws-setup prints the trust policy that it wants", arn, err)
	}
	return c, denied(http.StatusBadGateway, "AWS gives no credentials: %w", err)
}

// sessionName is how CloudTrail names the person.
//
// Source: STS, AssumeRoleWithWebIdentity, RoleSessionName: [\w+=,.@-]{2,64}.
func (a *assumer) sessionName(p auth.Person, identity string) string {
	text, ok := p.Text(a.config.SessionClaim)
	if !ok {
		text, _ = p.Text("sub")
	}
	text = strings.Map(func(c rune) rune {
		if c < 128 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_+=,.@-", c)) {
			return c
		}
		return '-'
	}, cmp.Or(text, identity))
	if len(text) < 2 {
		text = "narthex-" + text
	}
	return text[:min(len(text), 64)]
}

// sessionPolicy narrows what a session may do to reading the workspace, whatever
// else the role allows.
func sessionPolicy(address, region, arn string) string {
	workspace := WorkspaceOf(address)
	if workspace == "" {
		return ""
	}
	parts := strings.Split(arn, ":") // arn:aws:iam::123456789012:role/…
	if len(parts) < 6 {
		return ""
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["aps:QueryMetrics","aps:GetLabels","aps:GetSeries","aps:GetMetricMetadata"],"Resource":"arn:%s:aps:%s:%s:workspace/%s"}]}`,
		parts[1], region, parts[4], workspace)
}

// WorkspaceOf returns the id of an Amazon Managed Prometheus's workspace.
func WorkspaceOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 || parts[0] != "workspaces" {
		return ""
	}
	return parts[1]
}

type provider func(context.Context) (aws.Credentials, error)

func (f provider) Credentials(ctx context.Context) (aws.Credentials, error) { return f(ctx) }

// refusing is a transport that can't.
type refusing struct{ err error }

func (r refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }
