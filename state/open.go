package state

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"narthex/internal/aws"
)

// Options say how to reach a store. The zero Options take AWS's region,
// endpoints and credentials from the environment.
type Options struct {
	AWS aws.Options
	// Verify reads a key before Open returns, so that a wrong name, region or
	// missing permission is found then and not at the first push.
	Verify bool
}

// Open returns the store that a URL names:
//
//	file:path                 a directory
//	s3://bucket/prefix        objects prefix/key
//	dynamodb://table/prefix   items with the key prefix/key
//
// The prefix may be left out.
func Open(ctx context.Context, address string, o Options) (Store, error) {
	s, err := open(address, o)
	if err != nil {
		return nil, fmt.Errorf("open the state at %q: %w", address, err)
	}
	if o.Verify {
		if _, err := s.Load(ctx, "verify"); err != nil {
			return nil, fmt.Errorf("open the state at %q: %w", address, err)
		}
	}
	return s, nil
}

func open(address string, o Options) (Store, error) {
	if dir, ok := strings.CutPrefix(address, "file:"); ok {
		if dir = strings.TrimPrefix(dir, "//"); dir == "" {
			return nil, fmt.Errorf("a directory is missing: write file:path")
		}
		return OpenFile(dir)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" && u.Scheme != "dynamodb" {
		return nil, fmt.Errorf("it is none of file:path, s3://bucket/prefix and dynamodb://table/prefix")
	}
	if u.Host == "" || u.User != nil || u.Port() != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("it must read %s://name/prefix and no more", u.Scheme)
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		if err := checkKey(prefix); err != nil {
			return nil, err
		}
	}
	session, err := aws.Open(o.AWS)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "s3" {
		return NewS3(session, u.Host, prefix), nil
	}
	return NewDynamoDB(session, u.Host, prefix), nil
}

// checkKey checks that a key is as [Store] says.
func checkKey(key string) error {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment[0] == '.' {
			return fmt.Errorf("state key %q is not allowed: a part of it is empty or begins with a dot", key)
		}
	}
	for i := range len(key) {
		c := key[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-/", rune(c)) {
			return fmt.Errorf("state key %q is not allowed: it may have letters, digits and ._-/", key)
		}
	}
	if len(key) > 512 {
		return fmt.Errorf("a state key of %d bytes is not allowed: 512 is the limit", len(key))
	}
	return nil
}

// join puts a prefix before a key.
func join(prefix, key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	if prefix == "" {
		return key, nil
	}
	return prefix + "/" + key, nil
}
