package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"slices"
	"time"
)

// Person is somebody who signed in with a browser.
type Person struct {
	// Claims are those of the ID token, as JSON has them, that a rule or a role may
	// ask for.
	Claims map[string]any
	// Token is the ID token, "" if it is not kept, and Expires its end.
	Token   string
	Expires time.Time
}

type personKey struct{}

// WithPerson returns a context that bears the person.
func WithPerson(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, personKey{}, p)
}

// PersonFrom returns the person that the context bears.
func PersonFrom(ctx context.Context) (Person, bool) {
	p, ok := ctx.Value(personKey{}).(Person)
	return p, ok
}

// Text returns a claim that is one value and not empty.
func (p Person) Text(name string) (string, bool) { return claims(p.Claims).text(name) }

// Fits reports whether all the claims have a value that one of its patterns
// matches, as in a [Rule].
func (p Person) Fits(patterns map[string][]string) bool {
	for name, list := range patterns {
		if !slices.ContainsFunc(claims(p.Claims).texts(name), func(text string) bool {
			return slices.ContainsFunc(list, func(pattern string) bool { return glob(pattern, text) })
		}) {
			return false
		}
	}
	return true
}

// IDToken verifies an ID token that the issuer gave a client for a sign-in with
// the nonce, and returns whose it is. The identity is the one that the rules make
// of it, as they do of a bearer token.
//
// Source: OpenID Connect Core 1.0, section 3.1.3.7.
func (a *Auth) IDToken(ctx context.Context, issuer, client, nonce, token string) (Identity, Person, error) {
	if len(token) > maxCredentials {
		return Identity{}, Person{}, refuse(Malformed, "the ID token has %d bytes, the limit is %d", len(token), maxCredentials)
	}
	t, err := parseJWT(token)
	if err != nil {
		return Identity{}, Person{}, err
	}
	c := t.claims
	given, _ := c["nonce"].(string)
	azp, hasAzp := c["azp"]
	switch {
	case c["iss"] != issuer:
		return Identity{}, Person{}, refuse(Unknown, "the ID token is of the issuer %s, not of %q", c.show("iss"), issuer)
	case !c.isFor([]string{client}):
		return Identity{}, Person{}, refuse(Unknown, "the ID token is for %s, not for %q", c.show("aud"), client)
	case hasAzp && azp != client, !hasAzp && len(c.texts("aud")) > 1:
		return Identity{}, Person{}, refuse(Unknown, "the ID token was given to another client: its claim azp is %s", c.show("azp"))
	case nonce == "" || subtle.ConstantTimeCompare([]byte(given), []byte(nonce)) != 1:
		return Identity{}, Person{}, refuse(Unknown, "the ID token is of another sign-in: its nonce is not the one that was sent")
	}
	id, err := a.jwt(ctx, token)
	if err != nil {
		return Identity{}, Person{}, err
	}
	expires, _ := c.time("exp") // jwt has looked at it
	return id, Person{Claims: c, Token: token, Expires: expires}, nil
}

// Claimed returns the identity that the rules of the issuer make of claims that
// were verified when somebody signed in: what the rules say now holds.
func (a *Auth) Claimed(issuer, client string, verified map[string]any) (Identity, error) {
	c := claims(verified)
	var last error = refuse(Unknown, "the issuer %.100q is not known here any more", issuer)
	for _, i := range a.issuers {
		if i.who.Issuer != issuer || !slices.Contains(i.who.Audience, client) {
			continue
		}
		id, err := i.who.apply(jwtName(issuer), c)
		if err == nil {
			return id, nil
		}
		last = err
	}
	return Identity{}, last
}

// Asked returns the names of the claims that the rules of an issuer look at.
func (a *Auth) Asked(issuer string) []string {
	names := []string{"sub"}
	for _, i := range a.issuers {
		if i.who.Issuer != issuer {
			continue
		}
		for name := range i.who.Claims {
			names = append(names, name)
		}
		for _, name := range i.who.Labels {
			names = append(names, name)
		}
		names = append(names, i.who.NameClaim)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

// ParseClaims reads claims that were written as JSON.
func ParseClaims(text []byte) (map[string]any, error) { return object(text) }

// MarshalClaims writes those of the claims with the names.
func MarshalClaims(c map[string]any, names []string) ([]byte, error) {
	out := make(map[string]any)
	for _, name := range names {
		if v, ok := c[name]; ok {
			out[name] = v
		}
	}
	return json.Marshal(out)
}
