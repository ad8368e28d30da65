package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// secretLimit bounds an answer with a secret of 64 KB, in bytes.
const secretLimit = 1 << 20

// parameter returns the value of a parameter of Systems Manager (SSM), decrypted
// if it is a SecureString. A name with a version or a label ends in :3 or :label.
func (s *Session) parameter(ctx context.Context, name string) (string, error) {
	var out struct{ Parameter struct{ Value string } }
	c := s.client("ssm")
	err := c.json(ctx, jsonCall{version: "1.1", target: "AmazonSSM", op: "GetParameter", resource: name,
		in: map[string]any{"Name": name, "WithDecryption": true}, out: &out, limit: secretLimit})
	return out.Parameter.Value, err
}

// secretValue returns the current value of a secret of Secrets Manager, which is
// named by its name or ARN.
func (s *Session) secretValue(ctx context.Context, name string) (string, error) {
	var out struct {
		SecretString string
		SecretBinary []byte
	}
	c := s.client("secretsmanager")
	err := c.json(ctx, jsonCall{version: "1.1", target: "secretsmanager", op: "GetSecretValue", resource: name,
		in: map[string]any{"SecretId": name}, out: &out, limit: secretLimit})
	if out.SecretString == "" {
		return string(out.SecretBinary), err
	}
	return out.SecretString, err
}

// Secret returns what a reference stands for: ssm:NAME a parameter,
// secretsmanager:NAME a secret, secretsmanager:NAME#KEY the text at a key of a
// secret that is a JSON object. No error has a secret in it.
func (s *Session) Secret(ctx context.Context, reference string) (string, error) {
	value, err := s.secret(ctx, reference)
	if err == nil && value == "" {
		err = fmt.Errorf("%s is empty", reference)
	}
	return value, err
}

func (s *Session) secret(ctx context.Context, reference string) (string, error) {
	if name, ok := strings.CutPrefix(reference, "ssm:"); ok && name != "" {
		return s.parameter(ctx, name)
	}
	rest, ok := strings.CutPrefix(reference, "secretsmanager:")
	name, key, keyed := strings.Cut(rest, "#")
	if !ok || name == "" {
		return "", fmt.Errorf("it is not a reference such as ssm:/name, secretsmanager:name or secretsmanager:name#key")
	}
	value, err := s.secretValue(ctx, name)
	if err != nil || !keyed {
		return value, err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(value), &object) != nil {
		return "", fmt.Errorf("secretsmanager:%s is not a JSON object, so it has no key %q", name, key)
	}
	var text string
	if raw, there := object[key]; !there || json.Unmarshal(raw, &text) != nil {
		return "", fmt.Errorf("secretsmanager:%s has no key %q, or no text at it", name, key)
	}
	return text, nil
}
