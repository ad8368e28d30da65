package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// MinKey is how many bytes a key has at least.
const MinKey = 32

// sealer seals what a browser keeps for us: nobody else can read or make it. The
// first key seals; the others still open, so that keys can be changed.
type sealer []cipher.AEAD

// sealVersion is the first byte of what is sealed.
const sealVersion = 1

func newSealer(keys [][]byte) (sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key for sessions")
	}
	var out sealer
	for _, key := range keys {
		if len(key) < MinKey {
			return nil, fmt.Errorf("a key for sessions has %d bytes, want at least %d", len(key), MinKey)
		}
		derived, err := hkdf.Key(sha256.New, key, nil, "narthex session AES-256-GCM", 32)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(derived)
		if err != nil {
			return nil, err
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		out = append(out, gcm)
	}
	return out, nil
}

// seal seals data for a purpose. What is sealed for one opens for no other.
func (s sealer) seal(purpose string, data []byte) string {
	out := make([]byte, 1+s[0].NonceSize(), 1+s[0].NonceSize()+len(data)+s[0].Overhead())
	out[0] = sealVersion
	nonce := out[1:]
	rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(s[0].Seal(out, nonce, data, []byte(purpose)))
}

// open returns what was sealed for the purpose.
func (s sealer) open(purpose, text string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+s[0].NonceSize() || b[0] != sealVersion {
		return nil, false
	}
	nonce, sealed := b[1:1+s[0].NonceSize()], b[1+s[0].NonceSize():]
	for _, gcm := range s {
		if data, err := gcm.Open(nil, nonce, sealed, []byte(purpose)); err == nil {
			return data, true
		}
	}
	return nil, false
}
