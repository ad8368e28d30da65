package function

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"narthex"
	"narthex/app"
	"narthex/config"
	"narthex/internal/aws"
)

// maxConfig is how large a configuration in S3 may be, in bytes.
const maxConfig = 1 << 20

// read returns the configuration, with the secrets that it refers to and what
// the environment says. An error of kind Unavailable may go away.
func (o *Options) read(ctx context.Context) (*config.Config, error) {
	from := o.Config
	if from == "" {
		from = o.Getenv("NARTHEX_CONFIG")
	}
	name, data, err := o.fetch(ctx, from)
	if err != nil {
		return nil, err
	}
	overrides, err := o.overrides()
	if err != nil {
		return nil, err
	}
	var away error // why a secret can't be had
	secrets := app.Secrets(ctx)
	c, err := config.Read(config.Input{
		Name: name, Data: data, Overrides: overrides,
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
	if err != nil {
		return nil, err
	}
	notes, err := c.ForLambda()
	for _, note := range notes {
		o.Logger.Warn(note)
	}
	return c, err
}

// fetch returns the configuration's name and text, neither if there is none.
func (o *Options) fetch(ctx context.Context, from string) (name string, data []byte, err error) {
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
		data, err = o.fetchAWS(ctx, from)
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

func (o *Options) fetchAWS(ctx context.Context, from string) ([]byte, error) {
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
