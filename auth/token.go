package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"time"

	"narthex"
)

// TokenPrefix begins each bearer token, so that secret scanners know one.
const TokenPrefix = "nxt_"

const (
	secretSize   = 32 // bytes
	secretDigits = 43 // of base 62 that 32 bytes take
	checkDigits  = 6  // of base 62 that 4 bytes take
	tokenLength  = len(TokenPrefix) + secretDigits + checkDigits
	hashPrefix   = "sha256:"
)

// Token is a bearer token as the configuration knows it: by its hash.
type Token struct {
	// Name is the identity's.
	Name string
	// Hash is what [HashToken] returns. A token has 256 random bits, which
	// nobody can try out, so that unlike a password it needs no slow hash.
	Hash   string
	Scopes Scopes
	Labels narthex.Labels
	// Expires is when it ends; zero is never.
	Expires time.Time
}

// tokenHash is a Token that can be compared.
type tokenHash struct {
	Token
	sum [sha256.Size]byte
}

func (t Token) parse() (tokenHash, error) {
	h := tokenHash{Token: t}
	text, ok := strings.CutPrefix(t.Hash, hashPrefix)
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != len(h.sum) {
		return h, errors.New("its hash is not sha256: and 64 hexadecimal digits: narthex token prints it")
	}
	copy(h.sum[:], b)
	return h, nil
}

// NewToken returns a new token: nxt_, 256 random bits in base 62, and a
// checksum, by which a mistyped or cut-off token can be told.
func NewToken() string {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails
	body := TokenPrefix + base62(secret, secretDigits)
	return body + checksum(body)
}

// HashToken returns the hash that the configuration has in place of a token.
func HashToken(token string) (string, error) {
	if err := checkToken(token); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(sum[:]), nil
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	return base62([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, checkDigits)
}

// base62 writes a number in digits of 0-9a-zA-Z, with leading zeros.
func base62(number []byte, digits int) string {
	text := new(big.Int).SetBytes(number).Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

// checkToken says whether the text has a token's form.
func checkToken(token string) error {
	switch body := len(TokenPrefix) + secretDigits; {
	case !strings.HasPrefix(token, TokenPrefix):
		return fmt.Errorf("the token does not begin with %s", TokenPrefix)
	case len(token) != tokenLength:
		return fmt.Errorf("the token has %d characters, not %d: it was cut off or has something added", len(token), tokenLength)
	case checksum(token[:body]) != token[body:]:
		return errors.New("the token is mistyped: its checksum is wrong")
	}
	return nil
}

// token identifies by a bearer token. All hashes are compared, each in constant
// time, so that the time tells nothing about them.
func (a *Auth) token(token string) (Identity, error) {
	if len(a.tokens) == 0 {
		return Identity{}, refuse(Unknown, "this server knows no bearer tokens of this form")
	}
	if err := checkToken(token); err != nil {
		return Identity{}, refuse(Malformed, "%s", err)
	}
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range a.tokens {
		if subtle.ConstantTimeCompare(a.tokens[i].sum[:], sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Identity{}, refuse(Unknown, "the token is not known: it was never configured here, or was taken out")
	}
	t := a.tokens[found]
	if !t.Expires.IsZero() && !a.o.Now().Before(t.Expires) {
		return Identity{}, refuse(Expired, "the token %q has expired at %s: narthex token makes a new one", t.Name, t.Expires.UTC().Format(time.RFC3339))
	}
	return Identity{Name: "token:" + t.Name, Scopes: t.Scopes, Labels: t.Labels}, nil
}
