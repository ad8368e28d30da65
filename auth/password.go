package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	maxPassword = 72 // bytes; bcrypt looks at no more
	maxVerified = 1000
	maxWaiting  = 100
	maxWait     = 5 * time.Second
)

// costliest is the hash that the password of an unknown user is compared with, so
// that the time does not tell who exists: one that takes as long as any. What
// comes of the comparison counts for nothing.
func costliest(hashes map[string]string) string {
	best, most := "", -1
	for _, h := range hashes {
		if cost, err := bcrypt.Cost([]byte(h)); err == nil && cost > most {
			best, most = h, cost
		}
	}
	return best
}

// passwords compares passwords. A comparison costs a tenth of a second or more
// on purpose, so successful ones are remembered and few run at a time.
type passwords struct {
	key     []byte        // of this process, for verified
	running chan struct{} // has a place for each comparison under way
	waiting chan struct{}

	mu       sync.Mutex // protects verified
	verified map[[sha256.Size]byte]struct{}
}

func newPasswords() *passwords {
	p := &passwords{
		key:      make([]byte, 32),
		running:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		waiting:  make(chan struct{}, maxWaiting),
		verified: make(map[[sha256.Size]byte]struct{}),
	}
	rand.Read(p.key) // never fails
	return p
}

// check returns nil if the password is the user's.
func (p *passwords) check(ctx context.Context, hashes map[string]string, user, password string) error {
	if len(hashes) == 0 {
		return refuse(Unknown, "this server knows no users with passwords")
	}
	wrong := refuse(Unknown, "the user or the password is wrong")
	if len(password) > maxPassword {
		return wrong
	}
	hash, known := hashes[user]
	if !known {
		hash = costliest(hashes)
	}
	key := p.keyOf(user, hash, password)
	p.mu.Lock()
	_, seen := p.verified[key]
	p.mu.Unlock()
	if known && seen {
		return nil
	}
	same, err := p.compare(ctx, hash, password)
	switch {
	case err != nil:
		return err
	case !same || !known:
		return wrong
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.verified) >= maxVerified { // passwords changed that often
		clear(p.verified)
	}
	p.verified[key] = struct{}{}
	return nil
}

// compare runs bcrypt once there is a place for it.
func (p *passwords) compare(ctx context.Context, hash, password string) (bool, error) {
	busy := refuse(Unavailable, "too many passwords are being checked: try again in a moment")
	select {
	case p.waiting <- struct{}{}:
	default:
		return false, busy
	}
	defer func() { <-p.waiting }()
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case p.running <- struct{}{}:
	case <-ctx.Done():
		return false, busy
	}
	defer func() { <-p.running }()
	return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil, nil
}

// keyOf returns what stands for the three in memory: without the process's key
// nothing can be tried out on it. Nothing is verified under an old hash.
func (p *passwords) keyOf(user, hash, password string) (key [sha256.Size]byte) {
	h := hmac.New(sha256.New, p.key)
	for _, s := range []string{user, hash, password} {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	h.Sum(key[:0])
	return key
}
