package auth

import (
	"maps"
	"slices"
	"unicode/utf8"

	"narthex"
)

// Rule says which claims are taken and what they give.
type Rule struct {
	// Claims have, by the claim's name, the patterns of which one must match it:
	// * stands for any characters, ? for one. All claims must match; of a claim
	// that is a list one element must.
	Claims map[string][]string
	// NameClaim is the claim that names the identity. Retries of one push must
	// come under one name: prefer a repository to a run. Empty is sub.
	NameClaim string
	// Labels are forced labels, by their name, with the claim that each has its
	// value from. Without the claim the sender is refused.
	Labels map[string]string
	Scopes Scopes
}

const (
	maxName  = 512  // bytes of an identity's name
	maxValue = 2048 // bytes of a label's value
)

// apply returns the identity that the rule makes of the claims. prefix begins
// its name.
func (r Rule) apply(prefix string, c claims) (Identity, error) {
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		if !slices.ContainsFunc(c.texts(name), func(text string) bool {
			return slices.ContainsFunc(r.Claims[name], func(pattern string) bool { return glob(pattern, text) })
		}) {
			return Identity{}, refuse(Refused, "no rule takes the claim %s: it is %s", name, c.show(name))
		}
	}
	nameClaim := r.NameClaim
	if nameClaim == "" {
		nameClaim = "sub"
	}
	name, ok := c.text(nameClaim)
	if !ok || len(name) > maxName {
		return Identity{}, refuse(Refused, "the claim %s, which is to name the sender, is %s", nameClaim, c.show(nameClaim))
	}
	id := Identity{Name: prefix + name, Scopes: r.Scopes}
	for _, label := range slices.Sorted(maps.Keys(r.Labels)) {
		value, ok := c.text(r.Labels[label])
		if !ok || len(value) > maxValue || !utf8.ValidString(value) {
			return Identity{}, refuse(Refused, "the label %s is to have the claim %s as its value, which is %s", label, r.Labels[label], c.show(r.Labels[label]))
		}
		id.Labels = append(id.Labels, narthex.Label{Name: label, Value: value})
	}
	return id, nil
}

// glob reports whether the whole text matches the pattern. It takes no more
// steps than the product of their lengths.
func glob(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0 // the last star, and up to where it stands for text
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
