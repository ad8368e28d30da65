package config

import (
	"fmt"
	"log/slog"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Secret is a password, token or key. It shows itself as <secret> wherever it
// is printed, logged or encoded; convert it to a string to use it. In the file,
// ${NAME} in it stands for the environment's variable and $$ for a dollar; one
// that then begins with ssm: or secretsmanager: is kept there ([Input]).
type Secret string

const hidden = "<secret>"

// String returns <secret>, or "" if there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, for JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue is String, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// secret is the setting that is a [Secret].
type secret struct{ p *Secret }

func (v secret) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	expanded, err := expand(s, r.input.Env)
	if err == nil && r.input.Secret != nil && reference(expanded) {
		expanded, err = r.input.Secret(expanded)
	}
	if err != nil {
		r.errorf(n, path, "%v", err)
		return
	}
	*v.p = Secret(expanded)
}
func (v secret) String() string { return orNone(v.p.String()) }
func (v secret) wants() string  { return "a secret such as ${NAME} or ssm:/name" }

// expand puts the environment's variables in the place of ${NAME}. Its errors
// never have the text, which may be a secret.
func expand(s string, env func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			s = rest
			continue
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		if !strings.HasPrefix(after, "{") || !closed || name == "" {
			return "", fmt.Errorf("a lone $: want ${NAME} for a variable of the environment, $$ for a dollar")
		}
		value, ok := "", false
		if env != nil {
			value, ok = env(name)
		}
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", message.Quote(name))
		}
		b.WriteString(value)
		s = rest
	}
}
