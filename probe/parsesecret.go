package probe

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
	"narthex/internal/yamldoc"
)

// secret is a field that is never shown, in which ${NAME} stands for a variable
// of the environment. Any other $ is itself, as the exporter takes it.
func (r *moduleReader) secret(name string, p *Secret) field {
	return field{name, func(path string, n *yaml.Node) {
		if s, ok := r.expanded(path, n); ok {
			*p = Secret(s)
			r.hidden[yamldoc.Resolve(n)] = true
		}
	}}
}

// expanded reads a text with variables of the environment in it.
func (r *moduleReader) expanded(path string, n *yaml.Node) (string, bool) {
	var s string
	if !r.value(path, n, "a text", &s) {
		return "", false
	}
	s, err := r.expand(s)
	if err != nil {
		r.Errorf(n, path, "%v", err)
	}
	return s, err == nil
}

// plainSecret is a secret in which $ has a meaning of its own.
func (r *moduleReader) plainSecret(name string, p *Secret) field {
	return field{name, func(path string, n *yaml.Node) {
		var s string
		if r.value(path, n, "a text", &s) {
			*p = Secret(s)
			r.hidden[yamldoc.Resolve(n)] = true
		}
	}}
}

func (r *moduleReader) secrets(name string, p *[]Secret) field {
	return field{name, func(path string, n *yaml.Node) {
		*p = nil
		r.list(path, n, "a list of texts", func(path string, n *yaml.Node) {
			var s Secret
			r.secret("", &s).read(path, n)
			*p = append(*p, s)
		})
	}}
}

// secretLists is a field of names with lists of secrets.
func (r *moduleReader) secretLists(name string, p *map[string][]Secret) field {
	return field{name, func(path string, n *yaml.Node) {
		*p = make(map[string][]Secret)
		r.Mapping(path, n, "{name: [value]}", func(key, n *yaml.Node) {
			var values []Secret
			if !yamldoc.IsNull(n) {
				r.secrets("", &values).read(path+"."+message.Clip(key.Value, 80), yamldoc.Resolve(n))
			}
			(*p)[key.Value] = values
		})
	}}
}

// expand puts the environment's variables in the place of ${NAME}; $${NAME} is
// ${NAME} itself. Its errors never have the text, which may be a secret.
func (r *moduleReader) expand(s string) (string, error) {
	if !strings.Contains(s, "${") {
		return s, nil
	}
	variable := regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`) // here, since it would cost each start
	var err error
	out := variable.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "$$") {
			return m[1:]
		}
		name := m[2 : len(m)-1]
		if r.env != nil {
			if value, ok := r.env(name); ok {
				r.environment = true
				return value
			}
		}
		if err == nil {
			err = fmt.Errorf("the environment variable %s is not set; $${%s} is the text itself", message.Quote(name), name)
		}
		return m
	})
	return out, err
}
