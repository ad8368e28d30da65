package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"narthex/auth"
	"narthex/internal/message"
)

// attempt is a sign-in under way, as the browser keeps it for us.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // PKCE
	ReturnTo string `json:"r"`
	Ends     int64  `json:"e"` // seconds since the epoch
}

// sentence is an error for the page.
type sentence string

func (s sentence) Error() string { return string(s) }

// forAttempt and forSession are what is sealed for: this provider's answers to this
// client, and nothing that another narthex with the same key has sealed, nor this
// one when it had another provider, whose claims say something else.
func (s *SignIn) forAttempt() string { return s.purpose("narthex sign-in") }
func (s *SignIn) forSession() string { return s.purpose("narthex session") }

func (s *SignIn) purpose(what string) string {
	return fmt.Sprintf("%s %q %q", what, s.o.Issuer, s.o.ClientID)
}

// begin is GET /-/signin: it sends the browser to the provider.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	p, err := s.about(r.Context())
	if err != nil {
		s.o.Logger.Error("nobody can sign in", "err", err)
		s.Page(w, r, http.StatusServiceUnavailable, "The identity provider can't be reached, so nobody can sign in now. The server's log has the reason.")
		return
	}
	a := attempt{State: random(), Nonce: random(), Verifier: random(), ReturnTo: s.local(r, r.URL.Query().Get("return_to")), Ends: s.o.Now().Add(signInTime).Unix()}
	text, err := json.Marshal(a)
	if err != nil || !s.pending.set(w, s.sealer.seal(s.forAttempt(), text), signInTime) {
		s.Page(w, r, http.StatusBadRequest, "The sign-in could not be begun.")
		return
	}
	challenge := sha256.Sum256([]byte(a.Verifier))
	u, err := url.Parse(p.Authorization)
	if err != nil { // Discover has read it
		s.Page(w, r, http.StatusBadGateway, "The identity provider's address can't be read.")
		return
	}
	q := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": s.o.ClientID, "redirect_uri": s.redirect(r), "scope": s.scopes(), "state": a.State, "nonce": a.Nonce,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}

func (s *SignIn) redirect(r *http.Request) string {
	u := s.base(r)
	u.Path += CallbackPath
	return u.String()
}

// local returns the path to go to after a sign-in: one of ours, or our first page.
func (s *SignIn) local(r *http.Request, to string) string {
	home := s.base(r).Path + "/"
	u, err := url.Parse(to)
	if err != nil || len(to) > 1500 || !strings.HasPrefix(to, home) || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(to, "//") ||
		strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) || strings.HasPrefix(u.Path, home+"-/") {
		return home
	}
	if slices.Contains(strings.Split(u.Path, "/"), "..") || strings.HasPrefix(u.Path, "//") {
		return home
	}
	return to
}

// finish is GET /-/signin/callback: the provider has sent the browser back.
func (s *SignIn) finish(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	q := r.URL.Query()
	a, err := s.attempt(r, q.Get("state"))
	s.pending.clear(w, r) // it is good once
	if err != nil {
		s.Page(w, r, http.StatusBadRequest, err.Error())
		return
	}
	switch iss := q.Get("iss"); {
	case iss != "" && iss != s.o.Issuer: // another provider's answer (RFC 9207)
		s.Page(w, r, http.StatusBadRequest, "The answer is of another identity provider.")
		return
	case q.Get("error") != "":
		s.Page(w, r, http.StatusForbidden, "The identity provider says: "+message.Clip(q.Get("error")+" "+q.Get("error_description"), 300))
		return
	case q.Get("code") == "":
		s.Page(w, r, http.StatusBadRequest, "The identity provider's answer has no code.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	token, err := s.exchange(ctx, r, q.Get("code"), a.Verifier)
	if err != nil {
		s.o.Logger.Error("a sign-in failed", "err", err)
		s.Page(w, r, http.StatusBadGateway, "The identity provider did not confirm the sign-in. The server's log has the reason.")
		return
	}
	id, person, err := s.o.Auth.IDToken(ctx, s.o.Issuer, s.o.ClientID, a.Nonce, token)
	if err != nil {
		s.o.Logger.Warn("a sign-in was refused", "err", err)
		s.Page(w, r, http.StatusForbidden, "You are signed in at the identity provider, but may not come in here: "+err.Error()+".")
		return
	}
	if err := s.admit(w, r, person); err != nil {
		s.Page(w, r, http.StatusForbidden, err.Error())
		return
	}
	s.o.Logger.Info("somebody signed in", "who", id.Name, "scopes", id.Scopes.String())
	w.Header().Set("Location", a.ReturnTo)
	w.WriteHeader(http.StatusSeeOther)
}

// attempt returns the sign-in that this browser has begun and the answer belongs
// to.
func (s *SignIn) attempt(r *http.Request, state string) (a attempt, err error) {
	text, ok := s.sealer.open(s.forAttempt(), s.pending.get(r))
	if !ok || json.Unmarshal(text, &a) != nil {
		return a, sentence("This browser has no sign-in under way here: cookies are off, it took longer than ten minutes, or it was finished already.")
	}
	switch {
	case state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(a.State)) != 1:
		return a, sentence("The answer belongs to another sign-in than the one that this browser has begun last.")
	case s.o.Now().Unix() >= a.Ends:
		return a, sentence("The sign-in took longer than ten minutes.")
	case !s.spent.first("state "+a.State, time.Unix(a.Ends, 0), s.o.Now()):
		return a, sentence("This sign-in was finished already.")
	}
	return a, nil
}

const maxAnswer = 1 << 20

// exchange trades the code for an ID token.
func (s *SignIn) exchange(ctx context.Context, r *http.Request, code, verifier string) (string, error) {
	p, err := s.about(ctx)
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.redirect(r)}, "code_verifier": {verifier}, "client_id": {s.o.ClientID}}
	// In the body if the provider takes that: how Basic encodes a secret is read in
	// two ways. Basic is what one has that does not say (Discovery 1.0, section 3).
	basic := s.o.ClientSecret != "" && !slices.Contains(p.TokenAuth, "client_secret_post")
	if s.o.ClientSecret != "" && !basic {
		form.Set("client_secret", s.o.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "narthex")
	if basic { // encoded first: RFC 6749, section 2.3.1
		req.SetBasicAuth(url.QueryEscape(s.o.ClientID), url.QueryEscape(s.o.ClientSecret))
	}
	direct := *s.client // the code and the secret go nowhere else
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(req)
	if err != nil {
		return "", fmt.Errorf("ask %s for a token: %w", p.Token, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("ask %s for a token: %w", p.Token, err)
	}
	var answer struct {
		IDToken     string `json:"id_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &answer); err != nil && resp.StatusCode == http.StatusOK {
		return "", fmt.Errorf("ask %s for a token: the answer is not JSON", p.Token)
	}
	if resp.StatusCode != http.StatusOK || answer.IDToken == "" {
		return "", fmt.Errorf("ask %s for a token: %s %s", p.Token, resp.Status, message.Clip(answer.Error+" "+answer.Description, 300))
	}
	return answer.IDToken, nil
}

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// Page answers with a sentence for people, and the way to sign in as somebody else.
// It has no script and no style.
func (s *SignIn) Page(w http.ResponseWriter, r *http.Request, code int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(code)
	again := html.EscapeString(s.base(r).Path + Path)
	_, _ = fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>narthex: sign in</title>\n<h1>Sign in</h1>\n<p>%s</p>\n<p><a href=\"%s\">Sign in again</a></p>\n</html>\n",
		html.EscapeString(text), again) // an error means that the browser has left
}

// admit gives the browser a session.
func (s *SignIn) admit(w http.ResponseWriter, r *http.Request, p auth.Person) error {
	text, err := s.newSession(p)
	if err != nil {
		return sentence("The session could not be made.")
	}
	sealed := s.sealer.seal(s.forSession(), text)
	s.session.clear(w, r) // what an older one has more of parts
	if !s.session.set(w, sealed, s.o.Lifetime) {
		return sentence(fmt.Sprintf("What the identity provider says of you is too large for a cookie (%d bytes): have it send fewer claims or groups.", len(sealed)))
	}
	return nil
}
