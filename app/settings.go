package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"narthex"
	"narthex/config"
	"narthex/internal/aws"
)

// maxConfig is how large a configuration in S3 may be, in bytes.
const maxConfig = 1 << 20

// Settings is where a function's configuration comes from.
type Settings struct {
	// From is a file, s3://bucket/key, ssm:/name, secretsmanager:name, or the text
	// itself; "" is the environment's NARTHEX_CONFIG, and without it narthex.yml
	// beside the program.
	From   string
	Getenv func(string) string
	// Overrides come after it.
	Overrides []config.Override
}

// Read returns the configuration, with the secrets that it refers to. An error of
// kind Unavailable may go away.
func (o Settings) Read(ctx context.Context) (*config.Config, error) {
	name, data, err := o.fetch(ctx, cmp.Or(o.From, o.Getenv("NARTHEX_CONFIG")))
	if err != nil {
		return nil, err
	}
	var away error // why a secret can't be had
	secrets := Secrets(ctx)
	c, err := config.Read(config.Input{
		Name: name, Data: data, Overrides: o.Overrides,
		Env: func(name string) (string, bool) {
			value := o.Getenv(name)
			return value, value != ""
		},
		Secret: func(reference string) (string, error) {
			secret, err := secrets(reference)
			away = errors.Join(away, err)
			return secret, err
		},
	})
	if err != nil && away != nil {
		return nil, unlessGone(err, away)
	}
	return c, err
}

// fetch returns the configuration's name and text, neither if there is none.
func (o Settings) fetch(ctx context.Context, from string) (name string, data []byte, err error) {
	switch {
	case from == "":
		path := filepath.Join(o.Getenv("LAMBDA_TASK_ROOT"), "narthex.yml")
		data, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) || o.Getenv("LAMBDA_TASK_ROOT") == "" {
			return "the environment", nil, nil
		}
		return path, data, err
	case strings.ContainsAny(from, "\n{") || strings.Contains(from, ": "):
		return "NARTHEX_CONFIG", []byte(from), nil
	case strings.HasPrefix(from, "s3://"), strings.HasPrefix(from, "ssm:"), strings.HasPrefix(from, "secretsmanager:"):
		data, err = fetchAWS(ctx, from)
		if err != nil {
			return "", nil, unlessGone(fmt.Errorf("read the configuration: %w", err), err)
		}
		return from, data, nil
	}
	if data, err = os.ReadFile(from); err != nil {
		err = fmt.Errorf("read the configuration: %w", err)
	}
	return from, data, err
}

func fetchAWS(ctx context.Context, from string) ([]byte, error) {
	session, err := aws.Open(aws.Options{})
	if err != nil {
		return nil, err
	}
	if rest, ok := strings.CutPrefix(from, "s3://"); ok {
		bucket, key, _ := strings.Cut(rest, "/")
		object, err := session.S3().Get(ctx, bucket, key, aws.GetOptions{Limit: maxConfig})
		if err != nil {
			return nil, err
		}
		return object.Data, nil
	}
	text, err := session.Secret(ctx, from)
	return []byte(text), err
}

// unlessGone marks err as one that may go away, unless its cause is that there
// is no such thing, or that it may not be read. Even these may be mended without
// a new function, but not from one invocation to the next.
func unlessGone(err, cause error) error {
	var e *aws.Error
	if errors.As(cause, &e) && !errors.Is(cause, aws.ErrNotFound) && !errors.Is(cause, aws.ErrDenied) {
		return narthex.Errorf(narthex.Unavailable, "%w", err)
	}
	return err
}
