package config

import (
	"encoding/hex"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

type tokens struct{ p *[]Token }

func (v tokens) read(r *reader, path string, n *yaml.Node) {
	seen := make(map[string]bool)
	var out []Token
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		t := r.token(path, n)
		if seen[t.Name] && t.Name != "" {
			r.errorf(n, path, "the name %s is given twice", message.Quote(t.Name))
		}
		seen[t.Name] = true
		out = append(out, t)
	})
	*v.p = out
}

func (v tokens) String() string {
	var parts []string
	for _, t := range *v.p {
		parts = append(parts, t.Name+" ("+strings.Join(t.Scopes, ", ")+")")
	}
	return orNone(strings.Join(parts, "; "))
}

func (v tokens) wants() string { return "a list of what narthex token prints" }

func (r *reader) token(path string, n *yaml.Node) Token {
	var t Token
	ok := r.fields(path, n, "a token {name: ci, hash: sha256:…}",
		r.word("name", "a name", &t.Name), r.word("hash", "a hash", &t.Hash), r.scopes(&t.Scopes), r.forced(&t.Labels),
		field{"expires", func(path string, n *yaml.Node) {
			s, ok := r.scalar(path, n, "a time")
			if !ok {
				return
			}
			var err error
			if t.Expires, err = time.Parse(time.RFC3339, s); err != nil {
				if t.Expires, err = time.Parse(time.DateOnly, s); err != nil {
					r.errorf(n, path, "%s is no time: want 2027-01-31 or 2027-01-31T12:00:00Z", message.Quote(s))
				}
			}
		}})
	digits, isHash := strings.CutPrefix(t.Hash, "sha256:")
	b, err := hex.DecodeString(digits)
	switch {
	case !ok:
	case t.Name == "":
		r.errorf(n, path, "name is missing: ids of pushes belong to it")
	case !isHash || err != nil || len(b) != 32: // it may be the token itself, so it isn't shown
		r.errorf(n, path, "hash is not sha256: and 64 hexadecimal digits: narthex token prints it")
	case len(t.Scopes) == 0:
		t.Scopes = []string{"push"}
	}
	return t
}

type users struct{ p *[]User }

func (v users) read(r *reader, path string, n *yaml.Node) {
	var out []User
	r.mapping(path, n, v.wants(), func(key, n *yaml.Node) {
		u := User{Name: key.Value}
		r.fields(path+"."+message.Clip(key.Value, 80), n, "{scopes: [query]}", r.scopes(&u.Scopes), r.forced(&u.Labels))
		if len(u.Scopes) == 0 {
			u.Scopes = scopeWords()
		}
		out = append(out, u)
	})
	*v.p = out
}

func (v users) String() string {
	var parts []string
	for _, u := range *v.p {
		parts = append(parts, u.Name+" ("+strings.Join(u.Scopes, ", ")+")")
	}
	return orNone(strings.Join(parts, "; "))
}

func (v users) wants() string { return "a mapping of users to {scopes: [query], labels: {}}" }
