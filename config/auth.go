package config

import (
	"time"

	"go.yaml.in/yaml/v3"

	"narthex"
)

// Auth is who may do what (auth). Where none of it is given, and the web
// configuration file has no users, there is no authentication.
type Auth struct {
	// Tokens are bearer tokens, by their hashes (tokens; narthex token makes one).
	Tokens []Token
	// Users narrow what the users of the web configuration file may do (users);
	// who is not here may do all.
	Users []User
	// OIDC are issuers whose JSON Web Tokens are taken (oidc).
	OIDC []OIDC
	// Gateway says which callers that API Gateway or a function URL has
	// identified are taken (gateway).
	Gateway []Gateway
}

// Token is a bearer token.
type Token struct {
	Name    string         // of the identity
	Hash    string         // sha256: and 64 hexadecimal digits
	Scopes  []string       // of push, query, probe and admin; default push
	Labels  narthex.Labels // forced on what it pushes
	Expires time.Time      // zero is never
}

// User is what a user may do.
type User struct {
	Name   string
	Scopes []string // default all
	Labels narthex.Labels
}

// OIDC is an issuer of JSON Web Tokens.
type OIDC struct {
	Issuer   string   // the claim iss, a URL
	Audience []string // values of which the claim aud must have one
	KeysURL  string   // jwks_url; empty: found by discovery
	CAFile   string   // authorities of its TLS certificate; empty: the system's
	ClaimRule
}

// Gateway is a rule for callers that API Gateway has identified.
type Gateway struct {
	Type string // iam, jwt or lambda
	ClaimRule
}

// ClaimRule says which claims are taken and what they give.
type ClaimRule struct {
	Claims    map[string][]string // patterns, of which one must match, by claim
	NameClaim string              // the claim that names the identity, default sub (of iam: arn)
	Labels    map[string]string   // forced labels, with the claim of each
	Scopes    []string            // default push
}

// scopeWords returns the scopes' names.
func scopeWords() []string { return []string{"push", "query", "probe", "admin"} }

// filePath is a path that may be left out.
type filePath struct{ p *string }

func (v filePath) read(r *reader, path string, n *yaml.Node) { text(v).read(r, path, n) }
func (v filePath) String() string                            { return orNone(*v.p) }
func (v filePath) wants() string                             { return "a path or \"\"" }
