package config

import (
	"go.yaml.in/yaml/v3"

	"narthex/internal/yamldoc"
)

// ParseSecret reads text as a setting that is a secret. No setting is one yet.
func ParseSecret(text string, env func(string) (string, bool)) (Secret, error) {
	var s Secret
	r := &reader{Reader: yamldoc.NewReader("x.yml"), input: Input{Env: env}}
	secret{&s}.read(r, "token", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: 3})
	return s, r.Err()
}
