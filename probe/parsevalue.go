package probe

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
	"narthex/internal/yamldoc"
)

// field is a key of a mapping and what reads its value.
type field struct {
	name string
	read func(path string, n *yaml.Node)
}

// section reads a mapping with these keys; without a value it has none. It
// returns the nodes of the keys that were there, nil if it is no mapping.
func (r *moduleReader) section(path string, n *yaml.Node, wants string, fields ...field) map[string]*yaml.Node {
	if n = yamldoc.Resolve(n); yamldoc.IsNull(n) {
		return map[string]*yaml.Node{}
	}
	var empty []string
	known := make([]yamldoc.Field, len(fields))
	for i, f := range fields {
		known[i] = yamldoc.Field{Name: f.name, Read: func(at string, n *yaml.Node) {
			if n = yamldoc.Resolve(n); yamldoc.IsNull(n) {
				empty = append(empty, f.name) // as if the key were not there
				return
			}
			f.read(strings.TrimPrefix(at, "."), n)
		}}
	}
	given, _ := r.Fields(path, n, wants, known...)
	for _, name := range empty {
		delete(given, name)
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	return given
}

// list calls f for the elements, whose aliases are resolved.
func (r *moduleReader) list(path string, n *yaml.Node, wants string, f func(path string, n *yaml.Node)) {
	r.List(path, n, wants, func(path string, n *yaml.Node) { f(path, yamldoc.Resolve(n)) })
}

// value decodes a single value as the YAML library does, so that what the
// exporter takes for a number, a truth or (with !!binary) bytes is one here.
func (r *moduleReader) value(path string, n *yaml.Node, wants string, p any) bool {
	switch n = yamldoc.Resolve(n); {
	case n.Kind != yaml.ScalarNode:
		r.Errorf(n, path, "want %s, got %s", wants, yamldoc.Kind(n))
	case yamldoc.IsNull(n):
	case n.Decode(p) != nil:
		r.Errorf(n, path, "want %s", wants)
	default:
		return true
	}
	return false
}

// open reads a value that may be shown.
func (r *moduleReader) open(path string, n *yaml.Node, wants string) (string, bool) {
	var s string
	if !r.value(path, n, wants, &s) {
		return "", false
	}
	r.shown[yamldoc.Resolve(n)] = yamldoc.Resolve(n).Value
	return s, true
}

// text is a field that may be shown.
func (r *moduleReader) text(name, wants string, p *string) field {
	return field{name, func(path string, n *yaml.Node) {
		if s, ok := r.open(path, n, wants); ok {
			*p = s
		}
	}}
}

func (r *moduleReader) words(name, wants string, p *[]string) field {
	return field{name, func(path string, n *yaml.Node) {
		*p = nil
		r.list(path, n, wants, func(path string, n *yaml.Node) {
			if s, ok := r.open(path, n, "a text"); ok {
				*p = append(*p, s)
			}
		})
	}}
}

func (r *moduleReader) oneOf(name string, p *string, words ...string) field {
	return field{name, func(path string, n *yaml.Node) {
		s, ok := r.open(path, n, strings.Join(words, ", "))
		switch {
		case !ok || s == "" && name != "prober":
		case !slices.Contains(words, s):
			r.Errorf(n, path, "%s is not known; %s", message.Quote(s), message.Suggest(s, words))
		default:
			*p = s
		}
	}}
}

func (r *moduleReader) boolean(name string, p *bool) field {
	return field{name, func(path string, n *yaml.Node) {
		if r.value(path, n, "true or false", p) {
			r.shown[n] = n.Value
		}
	}}
}

func (r *moduleReader) number(name string, p *int, least, most int) field {
	return field{name, func(path string, n *yaml.Node) {
		var i int
		switch {
		case !r.value(path, n, "a whole number", &i):
		case i < least || i > most:
			r.Errorf(n, path, "%d is out of range: want %d to %d", i, least, most)
		default:
			*p, r.shown[n] = i, n.Value
		}
	}}
}

func (r *moduleReader) duration(name string, p *time.Duration) field {
	return field{name, func(path string, n *yaml.Node) {
		if s, ok := r.open(path, n, "a duration such as 5s"); ok {
			d, err := parseModuleDuration(s)
			if err != nil {
				r.Errorf(n, path, "%v", err)
				return
			}
			*p = d
		}
	}}
}

func (r *moduleReader) regexp(name string, p **regexp.Regexp) field {
	return field{name, func(path string, n *yaml.Node) {
		if re := r.expression(path, n); re != nil {
			*p = re
		}
	}}
}

func (r *moduleReader) regexps(name string, p *[]*regexp.Regexp) field {
	return field{name, func(path string, n *yaml.Node) {
		*p = nil
		r.list(path, n, "a list of regular expressions", func(path string, n *yaml.Node) {
			if re := r.expression(path, n); re != nil {
				*p = append(*p, re)
			}
		})
	}}
}

func (r *moduleReader) expression(path string, n *yaml.Node) *regexp.Regexp {
	s, ok := r.open(path, n, "a regular expression")
	if !ok {
		return nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		r.Errorf(n, path, "%v", err)
		return nil
	}
	return re
}

// sourceAddress is the field source_ip_address.
func (r *moduleReader) sourceAddress(p *string) field {
	return field{"source_ip_address", func(path string, n *yaml.Node) {
		s, ok := r.open(path, n, "an IP address")
		if _, err := netip.ParseAddr(s); ok && s != "" && err != nil {
			r.Errorf(n, path, "%s is no IP address", message.Quote(s))
		}
		*p = s
	}}
}

func (r *moduleReader) resolver(name string, p *string) field {
	return field{name, func(path string, n *yaml.Node) {
		s, ok := r.open(path, n, "a resolver such as udp://1.1.1.1")
		u, err := url.Parse(s)
		if ok && (err != nil || u.Host == "" || !slices.Contains([]string{"udp", "tcp", "tls", "https"}, u.Scheme)) {
			r.Errorf(n, path, "%s is no resolver: want udp://1.1.1.1, tcp://…, tls://… or https://dns.example/dns-query", message.Quote(s))
		}
		*p = s
	}}
}

// maxSize is the largest limit: the reader that enforces it adds one.
const maxSize = 1<<63 - 2

// parseBase2 reads a size as the exporter does: numbers with the units B, KB or
// KiB, MB or MiB and so on, all of powers of 1024, such as 10MB or 1GB512MB. 0
// needs no unit.
//
// Source: alecthomas/units, ParseBase2Bytes.
func parseBase2(s string) (int64, error) {
	rest, negative := strings.CutPrefix(s, "-")
	rest = strings.TrimPrefix(rest, "+")
	if rest == "0" {
		return 0, nil
	}
	bad := fmt.Errorf("%s is no size: want one such as 10MB, 512KiB or 1GB (powers of 1024), or 0 for none", message.Quote(s))
	sizePart := regexp.MustCompile(`(\d+\.?\d*|\.\d+)([KMGTPE]i?)?B`)
	matches := sizePart.FindAllStringSubmatch(rest, -1)
	total, read := 0.0, 0
	for _, m := range matches {
		var f float64
		if _, err := fmt.Sscanf(m[1], "%g", &f); err != nil {
			return 0, bad
		}
		unit := int64(1)
		if m[2] != "" {
			unit <<= 10 * (1 + strings.Index("KMGTPE", m[2][:1]))
		}
		total += f * float64(unit)
		read += len(m[0])
	}
	switch {
	case len(matches) == 0 || read != len(rest):
		return 0, bad
	case negative:
		return 0, nil // no limit
	case total >= maxSize:
		return maxSize, nil
	}
	return int64(total), nil
}
