package app

import (
	"context"

	"narthex/internal/aws"
)

// Secrets returns what gets the secrets that a configuration refers to (see
// config.Input), each once, from AWS as the environment names it. Nothing is
// asked before the first.
func Secrets(ctx context.Context) func(reference string) (string, error) {
	var session *aws.Session
	known := make(map[string]string)
	return func(reference string) (secret string, err error) {
		if secret, ok := known[reference]; ok {
			return secret, nil
		}
		if session == nil {
			if session, err = aws.Open(aws.Options{}); err != nil {
				return "", err
			}
		}
		if secret, err = session.Secret(ctx, reference); err == nil {
			known[reference] = secret
		}
		return secret, err
	}
}
