package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// key is a public key of an issuer.
type key struct {
	kid, alg, kty, crv string // alg may be empty
	public             any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

const (
	maxKeys      = 100
	minRSA       = 2048 // bits, RFC 7518 section 3.3
	maxRSA       = 8192 // bits; larger ones take long to verify with
	maxExponents = 1<<31 - 1
)

// jwk is a JSON Web Key as far as it is used here.
//
// Source: RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2.
type jwk struct {
	Kty string   `json:"kty"`
	Use string   `json:"use"`
	Ops []string `json:"key_ops"`
	Alg string   `json:"alg"`
	Kid string   `json:"kid"`
	Crv string   `json:"crv"`
	N   string   `json:"n"`
	E   string   `json:"e"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
}

// parseKeys returns the keys of a JSON Web Key Set that can verify signatures.
// Others, of kinds not known here too, are left out, as RFC 7517 section 5 says.
func parseKeys(text []byte) ([]key, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("it is not a JSON Web Key Set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, the limit is %d", len(set.Keys), maxKeys)
	}
	var out []key
	var wrong error
	for _, j := range set.Keys {
		if j.Use != "" && j.Use != "sig" || len(j.Ops) > 0 && !slices.Contains(j.Ops, "verify") {
			continue
		}
		k, err := j.key()
		if err != nil {
			wrong = fmt.Errorf("key %.80q: %w", j.Kid, err)
			continue
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		if wrong != nil {
			return nil, wrong
		}
		return nil, errors.New("it has no keys for signatures")
	}
	return out, nil
}

func (j jwk) key() (key, error) {
	k := key{kid: j.Kid, alg: j.Alg, kty: j.Kty, crv: j.Crv}
	var err error
	switch j.Kty {
	case "RSA":
		k.crv = ""
		k.public, err = j.rsa()
	case "EC":
		k.public, err = j.ec()
	case "OKP":
		k.public, err = j.ed25519()
	default:
		err = fmt.Errorf("keys of type %.20q can't be used", j.Kty)
	}
	return k, err
}

func (j jwk) rsa() (*rsa.PublicKey, error) {
	n, err := base64.RawURLEncoding.DecodeString(j.N)
	e, err2 := base64.RawURLEncoding.DecodeString(j.E)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("n or e is not base64url: %w", err)
	}
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	switch bits := modulus.BitLen(); {
	case bits < minRSA || bits > maxRSA:
		return nil, fmt.Errorf("it has %d bits, not %d to %d", bits, minRSA, maxRSA)
	case !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > maxExponents || exponent.Bit(0) == 0 || modulus.Bit(0) == 0:
		return nil, errors.New("its modulus or exponent is none of RSA")
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}, nil
}

func (j jwk) ec() (*ecdsa.PublicKey, error) {
	var curve elliptic.Curve
	switch j.Crv {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	default:
		return nil, fmt.Errorf("the curve %.20q can't be used", j.Crv)
	}
	x, err := base64.RawURLEncoding.DecodeString(j.X)
	y, err2 := base64.RawURLEncoding.DecodeString(j.Y)
	size := (curve.Params().BitSize + 7) / 8
	if errors.Join(err, err2) != nil || len(x) != size || len(y) != size {
		return nil, fmt.Errorf("x and y are not %d bytes in base64url each", size)
	}
	// The point must be on the curve, which this checks.
	k, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, fmt.Errorf("x and y: %w", err)
	}
	return k, nil
}

func (j jwk) ed25519() (ed25519.PublicKey, error) {
	x, err := base64.RawURLEncoding.DecodeString(j.X)
	if j.Crv != "Ed25519" || err != nil || len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("it is no Ed25519 key of %d bytes in base64url", ed25519.PublicKeySize)
	}
	return x, nil
}
