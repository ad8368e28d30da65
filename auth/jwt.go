package auth

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
)

// parsedJWT is a token in the compact form of RFC 7515, not yet verified.
type parsedJWT struct {
	alg, kid  string
	claims    claims
	signed    []byte // what the signature is of
	signature []byte
}

// algorithms are those that are taken: signatures with a public key. There is
// no none, and none with a shared secret (HS256), for which a public key could
// be passed off.
//
// Source: RFC 7518, section 3.1; RFC 8037, section 3.1.
var algorithms = map[string]struct {
	kty  string
	crv  string // of EC and OKP
	hash crypto.Hash
	pss  bool
}{
	"RS256": {kty: "RSA", hash: crypto.SHA256},
	"RS384": {kty: "RSA", hash: crypto.SHA384},
	"RS512": {kty: "RSA", hash: crypto.SHA512},
	"PS256": {kty: "RSA", hash: crypto.SHA256, pss: true},
	"PS384": {kty: "RSA", hash: crypto.SHA384, pss: true},
	"PS512": {kty: "RSA", hash: crypto.SHA512, pss: true},
	"ES256": {kty: "EC", crv: "P-256", hash: crypto.SHA256},
	"ES384": {kty: "EC", crv: "P-384", hash: crypto.SHA384},
	"EdDSA": {kty: "OKP", crv: "Ed25519"},
}

// parseJWT reads a token. Nothing of it can be trusted before [parsedJWT.verify].
func parseJWT(token string) (*parsedJWT, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, refuse(Malformed, "the token is no JSON Web Token: it has not three parts")
	}
	t := &parsedJWT{signed: []byte(parts[0] + "." + parts[1])}
	header, err := segment(parts[0])
	if err != nil {
		return nil, refuse(Malformed, "the token's header is not JSON in base64url: it may be cut off")
	}
	t.alg, _ = header["alg"].(string)
	t.kid, _ = header["kid"].(string)
	if _, critical := header["crit"]; critical {
		return nil, refuse(Malformed, "the token's header has crit, of which no extension is known here")
	}
	if _, known := algorithms[t.alg]; !known {
		return nil, refuse(Unknown, "the token's algorithm %.20q is not taken: it must be signed with RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA", t.alg)
	}
	if t.claims, err = segment(parts[1]); err != nil {
		return nil, refuse(Malformed, "the token's claims are not JSON in base64url: it may be cut off")
	}
	if t.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil || len(t.signature) == 0 {
		return nil, refuse(Malformed, "the token's signature is not base64url: it may be cut off")
	}
	return t, nil
}

// segment decodes a JSON object. Names are compared byte by byte, as in JSON
// and unlike in Go's structs.
func segment(text string) (map[string]any, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	return object(b)
}

// object decodes a JSON object with its numbers as they are written.
func object(b []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || all == nil {
		return nil, errors.New("not one object")
	}
	return all, nil
}

// verify reports whether the key made the signature. The algorithm must be the
// key's: a token does not choose how its key is used.
func (t *parsedJWT) verify(k key) bool {
	alg := algorithms[t.alg]
	if k.alg != "" && k.alg != t.alg || k.kty != alg.kty || k.crv != alg.crv {
		return false
	}
	var digest []byte
	if alg.hash != 0 {
		h := alg.hash.New()
		h.Write(t.signed)
		digest = h.Sum(nil)
	}
	switch pub := k.public.(type) {
	case *rsa.PublicKey:
		if alg.pss {
			return rsa.VerifyPSS(pub, alg.hash, digest, t.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(pub, alg.hash, digest, t.signature) == nil
	case *ecdsa.PublicKey: // two numbers of the curve's size, RFC 7518 section 3.4
		half := (pub.Curve.Params().BitSize + 7) / 8
		if len(t.signature) != 2*half {
			return false
		}
		r, s := new(big.Int).SetBytes(t.signature[:half]), new(big.Int).SetBytes(t.signature[half:])
		return ecdsa.Verify(pub, digest, r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(pub, t.signed, t.signature)
	}
	return false
}

// jwtName begins the names of an issuer's identities. An issuer has no #.
func jwtName(issuer string) string { return "jwt:" + issuer + "#" }

// jwt identifies by a JSON Web Token.
func (a *Auth) jwt(ctx context.Context, token string) (Identity, error) {
	if len(a.issuers) == 0 {
		return Identity{}, refuse(Unknown, "this server knows no issuers of JSON Web Tokens")
	}
	t, err := parseJWT(token)
	if err != nil {
		return Identity{}, err
	}
	iss, _ := t.claims["iss"].(string)
	var refused error = refuse(Unknown, "the token's issuer %.100q is not known here", iss)
	var nearest error
	verified := make(map[*keys]bool)
	for _, i := range a.issuers {
		if i.who.Issuer != iss {
			continue
		}
		if !verified[i.keys] {
			if err := i.keys.verify(ctx, t); err != nil {
				return Identity{}, err
			}
			verified[i.keys] = true
			if err := t.claims.current(a.o.Now()); err != nil {
				return Identity{}, err
			}
		}
		id, err := i.accept(t.claims)
		if err == nil {
			return id, nil
		}
		refused = err
		if e := (*Error)(nil); errors.As(err, &e) && e.Reason == Refused {
			nearest = err // the audience fits, only its rule does not
		}
	}
	return Identity{}, cmp.Or(nearest, refused)
}
