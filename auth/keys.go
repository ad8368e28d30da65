package auth

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// When keys are fetched.
const (
	keysFresh = time.Hour        // younger keys are used as they are
	keysStale = 24 * time.Hour   // older ones, which can't be fetched again, no more
	missPause = time.Minute      // between fetches because of a key that is not known
	failPause = 10 * time.Second // after a fetch that failed
	maxTried  = 10               // keys for a token that does not name its own
)

// keysOf says whose keys keys are.
type keysOf struct{ issuer, url, caFile string }

// keys are an issuer's keys, fetched when they are needed. Only one request
// fetches at a time; the others wait for it.
type keys struct {
	of     keysOf
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
	fetch  chan struct{} // has room for the one who fetches

	mu      sync.Mutex // protects all below
	list    []key
	fetched time.Time // when list was
	missed  time.Time // the last fetch because of a key not known
	failed  time.Time // the last fetch that failed
}

func newKeys(of keysOf, client *http.Client, log *slog.Logger, now func() time.Time) *keys {
	return &keys{of: of, client: client, log: log, now: now, fetch: make(chan struct{}, 1)}
}

// verify returns nil if the token is signed with a key of the issuer.
func (s *keys) verify(ctx context.Context, t *parsedJWT) error {
	list, err := s.current(ctx)
	if err != nil {
		return err
	}
	fit := fitting(list, t)
	if len(fit) == 0 { // its key may be newer than the list
		if list, err = s.renewed(ctx); err != nil {
			return err
		}
		fit = fitting(list, t)
	}
	if len(fit) == 0 {
		return refuse(Unknown, "the token's key %.80q is none of its issuer's", t.kid)
	}
	for _, k := range fit {
		if t.verify(k) {
			return nil
		}
	}
	return refuse(Unknown, "the token's signature is wrong")
}

// fitting returns the keys that the token may be signed with.
func fitting(list []key, t *parsedJWT) []key {
	var out []key
	for _, k := range list {
		if (t.kid == "" || k.kid == t.kid) && len(out) < maxTried {
			out = append(out, k)
		}
	}
	return out
}

// current returns the keys. They are fetched first if they are old; while
// somebody else does that, old ones are good enough.
func (s *keys) current(ctx context.Context) ([]key, error) {
	list, age := s.known()
	if age < keysFresh {
		return list, nil
	}
	select {
	case s.fetch <- struct{}{}:
	default:
		if age < keysStale {
			return list, nil
		}
		if err := s.wait(ctx); err != nil {
			return nil, err
		}
	}
	defer func() { <-s.fetch }()
	return s.renew(ctx, func(now time.Time) bool {
		return now.Sub(s.fetched) < keysFresh || now.Sub(s.failed) < failPause
	})
}

// renewed returns the keys, fetched again unless they were lately: tokens with
// invented keys make no more requests than one a minute.
func (s *keys) renewed(ctx context.Context) ([]key, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	defer func() { <-s.fetch }()
	return s.renew(ctx, func(now time.Time) bool {
		if now.Sub(s.missed) < missPause {
			return true
		}
		s.missed = now
		return false
	})
}

// wait takes the place of the one who fetches.
func (s *keys) wait(ctx context.Context) error {
	select {
	case s.fetch <- struct{}{}:
		return nil
	case <-ctx.Done():
		return s.unavailable()
	}
}

// known returns the keys and their age.
func (s *keys) known() ([]key, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list, s.now().Sub(s.fetched)
}

// renew fetches the keys unless skip holds, which is called with the lock held,
// and returns those that may be used. The caller has the place for it.
func (s *keys) renew(ctx context.Context, skip func(now time.Time) bool) ([]key, error) {
	s.mu.Lock()
	skipped := skip(s.now())
	s.mu.Unlock()
	if !skipped {
		// Others wait for this too: it does not end because its sender leaves.
		list, err := s.load(context.WithoutCancel(ctx))
		s.mu.Lock()
		if err != nil {
			s.failed = s.now()
			s.log.Error("the keys of an issuer could not be fetched, so that its new tokens can't be checked", "issuer", s.of.issuer, "err", err)
		} else {
			s.list, s.fetched = list, s.now()
		}
		s.mu.Unlock()
	}
	list, age := s.known()
	if age >= keysStale {
		return nil, s.unavailable()
	}
	return list, nil
}

func (s *keys) load(ctx context.Context) ([]key, error) {
	address := s.of.url
	if address == "" {
		p, err := Discover(ctx, s.client, s.of.issuer)
		if err != nil {
			return nil, err
		}
		address = p.Keys
	}
	text, err := fetch(ctx, s.client, address)
	if err != nil {
		return nil, err
	}
	return parseKeys(text)
}

func (s *keys) unavailable() error {
	return refuse(Unavailable, "the keys of the token's issuer can't be fetched, so that the token can't be checked: try again later; the server's log has the reason")
}
