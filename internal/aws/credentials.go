package aws

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Credentials sign requests. They print as their access key's id alone.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // "" for those of a user
	Expires         time.Time // zero: they don't
}

// Provider gets credentials. It may be called by several goroutines, and at any
// time; it need not keep what it got.
type Provider interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// Credentials implements [Provider]: they are what they are.
func (c Credentials) Credentials(context.Context) (Credentials, error) { return c, nil }

// String returns the access key's id.
func (c Credentials) String() string { return "credentials of " + c.AccessKeyID }

// GoString is for %#v, which would print the secret.
func (c Credentials) GoString() string { return c.String() }

// MarshalText is for loggers and JSON, which would print the secret.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

const (
	renewBefore = 5 * time.Minute  // of their end credentials are renewed
	renewLimit  = 30 * time.Second // for one renewal
	renewPause  = 10 * time.Second // between renewals while the old ones hold
)

// Cache keeps the credentials of a source until five minutes before they end.
// Then one renewal serves all who ask; who asks while the old ones still hold
// gets those at once.
type Cache struct {
	Source Provider
	Now    func() time.Time // nil: time.Now

	mu      sync.Mutex // protects all below
	have    Credentials
	pending *renewal
	notTill time.Time // when a renewal may be tried again
}

type renewal struct {
	done chan struct{}
	err  error // readable once done is closed
}

// Credentials implements [Provider].
func (c *Cache) Credentials(ctx context.Context) (Credentials, error) {
	for {
		have, wait := c.ask(ctx)
		if wait == nil {
			return have, nil
		}
		select {
		case <-wait.done:
			if wait.err != nil {
				return Credentials{}, wait.err
			}
		case <-ctx.Done():
			return Credentials{}, context.Cause(ctx)
		}
	}
}

// ask returns credentials that hold, or the renewal to wait for.
func (c *Cache) ask(ctx context.Context) (Credentials, *renewal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	left := c.left(now)
	if c.have.AccessKeyID != "" && left > renewBefore {
		return c.have, nil
	}
	if c.pending == nil && (left <= 0 || !now.Before(c.notTill)) {
		c.pending = &renewal{done: make(chan struct{})}
		go c.renew(context.WithoutCancel(ctx), c.pending)
	}
	if left > 0 {
		return c.have, nil
	}
	return Credentials{}, c.pending
}

// left is how long the credentials hold.
func (c *Cache) left(now time.Time) time.Duration {
	switch {
	case c.have.AccessKeyID == "":
		return 0
	case c.have.Expires.IsZero():
		return time.Hour
	}
	return c.have.Expires.Sub(now)
}

func (c *Cache) renew(ctx context.Context, r *renewal) {
	ctx, cancel := context.WithTimeout(ctx, renewLimit)
	defer cancel()
	got, err := c.Source.Credentials(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	switch {
	case err == nil && (got.AccessKeyID == "" || got.SecretAccessKey == ""):
		err = errors.New("the source gave no AWS credentials")
	case err == nil && !got.Expires.IsZero() && !got.Expires.After(now):
		err = errors.New("the source gave AWS credentials that have ended: check the clock")
	}
	if err == nil {
		c.have = got
	}
	c.notTill = now.Add(renewPause)
	r.err, c.pending = err, nil
	close(r.done)
}

// drop forgets credentials that were refused, unless there are others already.
func (c *Cache) drop(bad Credentials) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.have == bad {
		c.have = Credentials{}
	}
}

func (c *Cache) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
