package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"narthex"
	"narthex/internal/awstest"
	"narthex/state"
)

// remote opens the stores over AWS's services, each service behind a proxy.
// Every call of what it returns opens a store with a prefix of its own.
func remote(t *testing.T, decide func(r *http.Request, n int) awstest.Fault) map[string]func() state.Store {
	endpoints := map[string]string{
		"s3://" + awstest.Bucket:      awstest.S3(t),
		"dynamodb://" + awstest.Table: awstest.DynamoDB(t),
	}
	if binary := os.Getenv("NARTHEX_VERSITYGW"); binary != "" {
		endpoints["s3://"+awstest.Bucket+"/strict"] = awstest.StrictS3(t, binary)
	}
	all := make(map[string]func() state.Store)
	for address, endpoint := range endpoints {
		if decide != nil {
			endpoint = awstest.Proxy(t, endpoint, decide)
		}
		opened := 0
		all[address] = func() state.Store {
			opened++
			return open(t, fmt.Sprintf("%s/%d", address, opened), endpoint)
		}
	}
	return all
}

func open(t *testing.T, address, endpoint string) state.Store {
	t.Helper()
	s, err := state.Open(t.Context(), address, state.Options{AWS: awstest.Options(endpoint), Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Thirty-two writers save over the same value: one of them has done so.
func TestStoreOneWinner(t *testing.T) {
	t.Parallel()
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := open()
			var prev state.Entry
			for round := range 3 {
				won := race(t, s, prev, 32)
				now, err := s.Load(t.Context(), "contested")
				if err != nil || len(won) != 1 || string(now.Data) != string(won[0].Data) || now.Version != won[0].Version {
					t.Fatalf("round %d: %d winners, the value is %q (%v)", round, len(won), now.Data, err)
				}
				prev = now
			}
		})
	}
}

// race returns the entries that writers got who did not lose.
func race(t *testing.T, s state.Store, prev state.Entry, writers int) (won []state.Entry) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range writers {
		wg.Go(func() {
			e, err := s.Save(t.Context(), "contested", prev, fmt.Appendf(nil, "%d after %q", i, prev.Version))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, e)
			} else if !errors.Is(err, state.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return won
}

// Additions from many writers stay exact while one request in three goes
// wrong, half of those after they had their effect.
func TestStoreFaults(t *testing.T) {
	t.Parallel()
	faults := []awstest.Fault{awstest.Lose, awstest.Refuse, awstest.Fail, awstest.SlowDown, awstest.Lose, awstest.Throttle, awstest.Truncate, awstest.Conflict}
	decide := func(r *http.Request, n int) awstest.Fault {
		f := faults[n/3%len(faults)]
		fits := true
		switch f { // what that service, or an answer without a body, can't show
		case awstest.Conflict:
			fits = r.Method == http.MethodPut
		case awstest.Throttle:
			fits = r.Method == http.MethodPost
		case awstest.Truncate:
			fits = r.Method != http.MethodHead
		}
		if n%3 != 0 || !fits {
			return awstest.Pass
		}
		return f
	}
	for name, open := range remote(t, decide) {
		t.Run(name, func(t *testing.T) {
			s := open()
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 10 {
						if err := increment(t.Context(), s); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if e, err := s.Load(t.Context(), "n"); err != nil || string(e.Data) != "80" {
				t.Errorf("80 increments gave %s (%v)", e.Data, err)
			}
		})
	}
}

// A save whose answer is lost is done, and is no conflict with itself, be it
// of the first value, a later one, or a deletion.
func TestStoreLostAnswer(t *testing.T) {
	t.Parallel()
	for _, fault := range []awstest.Fault{awstest.Lose, awstest.Fail} {
		losing := false
		decide := func(r *http.Request, _ int) awstest.Fault {
			if losing && writes(r) {
				losing = false
				return fault
			}
			return awstest.Pass
		}
		for name, open := range remote(t, decide) {
			t.Run(fmt.Sprint(name, fault), func(t *testing.T) {
				s := open()
				var e state.Entry
				for _, data := range [][]byte{[]byte("one"), []byte("two"), nil, []byte("three"), {}} {
					losing = true
					var err error
					if e, err = s.Save(t.Context(), "k", e, data); err != nil || losing {
						t.Fatalf("save %q: %v (lost: %v)", data, err, !losing)
					}
					now, err := s.Load(t.Context(), "k")
					if err != nil || now.Version != e.Version || !bytes.Equal(now.Data, data) {
						t.Fatalf("after %q there is %q, version %q, not %q (%v)", data, now.Data, now.Version, e.Version, err)
					}
				}
			})
		}
	}
}

// writes tells the requests that change something.
func writes(r *http.Request) bool {
	return r.Method == http.MethodPut || strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutItem")
}

// A save's answer is lost, and another writer replaces the value before the
// save is sent again: it was done all the same, and to repeat it would count
// twice.
func TestStoreSuperseded(t *testing.T) {
	t.Parallel()
	o := &overtaken{fault: awstest.Lose}
	for name, open := range remote(t, o.decide) {
		t.Run(name, func(t *testing.T) {
			s := open()
			if err := increment(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			o.losing = true
			o.meanwhile = func() {
				for range 3 {
					if err := increment(t.Context(), s); err != nil {
						t.Error(err)
					}
				}
			}
			if err := increment(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			e, err := s.Load(t.Context(), "n")
			if err != nil || string(e.Data) != "5" {
				t.Fatalf("5 increments gave %s (%v)", e.Data, err)
			}
		})
	}
}

// A save that was superseded leaves its writer with an entry that is old.
func TestStoreSupersededEntry(t *testing.T) {
	t.Parallel()
	o := &overtaken{fault: awstest.Lose}
	for name, open := range remote(t, o.decide) {
		t.Run(name, func(t *testing.T) {
			s := open()
			o.losing = true
			o.meanwhile = func() {
				now, err := s.Load(t.Context(), "k")
				if err == nil {
					_, err = s.Save(t.Context(), "k", now, []byte("other"))
				}
				if err != nil {
					t.Error(err)
				}
			}
			e, err := s.Save(t.Context(), "k", state.Entry{}, []byte("mine"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Save(t.Context(), "k", e, []byte("again")); !errors.Is(err, state.ErrConflict) {
				t.Errorf("a save over what was superseded: %v, want ErrConflict", err)
			}
		})
	}
}

// What S3 answers to a condition that does not hold is a conflict. A 409 is none: S3
// says nothing of the condition then, and the value may be as it was. Nor is a bucket
// that is not there.
func TestS3Conflicts(t *testing.T) {
	t.Parallel()
	endpoint := awstest.S3(t)
	conflicts := 0
	s := open(t, "s3://"+awstest.Bucket, awstest.Proxy(t, endpoint, func(r *http.Request, _ int) awstest.Fault {
		if conflicts > 0 && writes(r) {
			conflicts--
			return awstest.Conflict
		}
		return awstest.Pass
	}))
	conflicts = 1000
	if _, err := s.Save(t.Context(), "k", state.Entry{}, []byte("x")); err == nil || errors.Is(err, state.ErrConflict) {
		t.Errorf("409 each time: %v, want another error than ErrConflict", err)
	}
	conflicts = 2
	if _, err := s.Save(t.Context(), "k", state.Entry{}, []byte("x")); err != nil {
		t.Errorf("409 twice: %v", err)
	}
	gone := state.Entry{Data: []byte("x"), Version: `"0123456789abcdef0123456789abcdef" nonce`}
	if _, err := s.Save(t.Context(), "k", gone, []byte("y")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("an object that is gone: %v, want ErrConflict", err)
	}
	_, err := state.Open(t.Context(), "s3://no-such-bucket/p", state.Options{AWS: awstest.Options(endpoint), Verify: true})
	if err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}

func TestDynamoDBSize(t *testing.T) {
	t.Parallel()
	s := open(t, "dynamodb://"+awstest.Table, awstest.DynamoDB(t))
	e, err := s.Save(t.Context(), "k", state.Entry{}, make([]byte, 380<<10))
	if err != nil {
		t.Fatal(err)
	}
	if now, err := s.Load(t.Context(), "k"); err != nil || len(now.Data) != 380<<10 {
		t.Fatalf("%d bytes (%v)", len(now.Data), err)
	}
	_, err = s.Save(t.Context(), "k", e, make([]byte, 380<<10+1))
	if narthex.KindOf(err) != narthex.TooLarge || !strings.Contains(err.Error(), "S3") {
		t.Errorf("a byte more: %v", err)
	}
}

func TestOpen(t *testing.T) {
	for _, address := range []string{"", "/var/lib/x", "file:", "gs://b/p", "s3:bucket", "s3://", "s3://user:pass@bucket/p", "s3://b/p?x=1", "s3://b/../p", "s3://b/a//b"} {
		if _, err := state.Open(t.Context(), address, state.Options{AWS: awstest.Options("http://127.0.0.1:1")}); err == nil {
			t.Errorf("%q was opened", address)
		}
	}
	for _, scheme := range []string{"file:", "file://"} {
		if _, err := state.Open(t.Context(), scheme+t.TempDir(), state.Options{Verify: true}); err != nil {
			t.Error(err)
		}
	}
}

func TestRemoteKeys(t *testing.T) {
	t.Parallel()
	for name, open := range remote(t, nil) {
		s := open()
		for _, key := range []string{"", "../x", "/etc", "a/../../x", ".lock", "a//b", "a b", "ä", strings.Repeat("x", 600)} {
			if _, err := s.Save(t.Context(), key, state.Entry{}, []byte("x")); err == nil {
				t.Errorf("%s: key %q was taken", name, key)
			}
			if _, err := s.Load(t.Context(), key); err == nil {
				t.Errorf("%s: key %q was looked up", name, key)
			}
		}
	}
}
