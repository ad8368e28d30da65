package auth

import (
	"fmt"
	"strings"
)

// Scopes is a set of things that one may do.
type Scopes uint8

// The scopes.
const (
	Push  Scopes = 1 << iota // send data, and read one's own receipts
	Query                    // read all that is stored
	Probe                    // have narthex probe a target
	Admin                    // change what is not data, and reach unknown paths
	All   = Push | Query | Probe | Admin
)

var scopeNames = []string{"push", "query", "probe", "admin"}

// ParseScopes returns the scopes with the names.
func ParseScopes(names ...string) (Scopes, error) {
	var s Scopes
next:
	for _, name := range names {
		for i, n := range scopeNames {
			if name == n {
				s |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("the scope %.40q is not known: want %s", name, strings.Join(scopeNames, ", "))
	}
	return s, nil
}

// Has reports whether one of the wanted scopes is in s.
func (s Scopes) Has(wanted Scopes) bool { return s&wanted != 0 }

// Names returns the scopes' names.
func (s Scopes) Names() []string {
	var out []string
	for i, n := range scopeNames {
		if s.Has(1 << i) {
			out = append(out, n)
		}
	}
	return out
}

// String returns the names, or "none".
func (s Scopes) String() string {
	if s == 0 {
		return "none"
	}
	return strings.Join(s.Names(), ", ")
}
