package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// value is a setting's place in a [Config].
type value interface {
	// read sets the value to the node's, or reports to r what is wrong with it.
	read(r *reader, path string, n *yaml.Node)
	// String returns the value as the file would have it.
	String() string
	// wants says what values there are, for the documentation.
	wants() string
}

type text struct{ p *string }

func (v text) read(r *reader, path string, n *yaml.Node) {
	if s, ok := r.scalar(path, n, v.wants()); ok {
		*v.p = s
	}
}
func (v text) String() string { return *v.p }
func (v text) wants() string  { return "a path" }

type address struct{ p *string }

func (v address) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	_, port, err := net.SplitHostPort(s)
	if _, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil {
		r.errorf(n, path, "%s is no address: want %s", message.Quote(s), v.wants())
		return
	}
	*v.p = s
}
func (v address) String() string { return *v.p }
func (v address) wants() string  { return "host:port such as 127.0.0.1:9091" }

type boolean struct{ p *bool }

func (v boolean) read(r *reader, path string, n *yaml.Node) {
	if s, ok := r.scalar(path, n, v.wants()); ok {
		if n.ShortTag() != "!!bool" || n.Decode(v.p) != nil {
			r.errorf(n, path, "want %s, got %s", v.wants(), message.Quote(s))
		}
	}
}
func (v boolean) String() string { return strconv.FormatBool(*v.p) }
func (v boolean) wants() string  { return "true or false" }

type oneOf struct {
	p     *string
	words []string
}

func (v oneOf) read(r *reader, path string, n *yaml.Node) {
	switch s, ok := r.scalar(path, n, v.wants()); {
	case !ok:
	case s != "" && !slices.Contains(v.words, s):
		r.errorf(n, path, "%s is not known; %s", message.Quote(s), message.Suggest(s, v.words))
	default:
		*v.p = s
	}
}
func (v oneOf) String() string { return orNone(*v.p) }
func (v oneOf) wants() string  { return strings.Join(v.words, ", ") + " or \"\"" }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

type duration struct {
	p        *time.Duration
	min, max time.Duration
}

func (v duration) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, "a duration such as 15s")
	if !ok {
		return
	}
	switch d, err := ParseDuration(s); {
	case err != nil:
		r.errorf(n, path, "%v", err)
	case d < v.min:
		r.errorf(n, path, "%s is below %s", s, FormatDuration(v.min))
	case d > v.max:
		r.errorf(n, path, "%s is above %s", s, FormatDuration(v.max))
	default:
		*v.p = d
	}
}
func (v duration) String() string { return FormatDuration(*v.p) }
func (v duration) wants() string {
	return FormatDuration(v.min) + " to " + FormatDuration(v.max)
}

type size struct {
	p        *int64
	min, max int64
}

func (v size) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, "a size such as 10MiB")
	if !ok {
		return
	}
	switch b, err := ParseSize(s); {
	case err != nil:
		r.errorf(n, path, "%v", err)
	case b < v.min:
		r.errorf(n, path, "%s is below %s", s, FormatSize(v.min))
	case b > v.max:
		r.errorf(n, path, "%s is above %s", s, FormatSize(v.max))
	default:
		*v.p = b
	}
}
func (v size) String() string { return FormatSize(*v.p) }
func (v size) wants() string  { return FormatSize(v.min) + " to " + FormatSize(v.max) }

type count struct {
	p        *int
	min, max int
}

func (v count) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, "a whole number")
	if !ok {
		return
	}
	i := 0
	switch {
	case n.ShortTag() != "!!int" || n.Decode(&i) != nil:
		r.errorf(n, path, "want a whole number, got %s", message.Quote(s))
	case i < v.min:
		r.errorf(n, path, "%d is below %d", i, v.min)
	case i > v.max:
		r.errorf(n, path, "%d is above %d", i, v.max)
	default:
		*v.p = i
	}
}
func (v count) String() string { return strconv.Itoa(*v.p) }
func (v count) wants() string  { return fmt.Sprintf("%d to %d", v.min, v.max) }

type hosts struct{ p *[]string }

func (v hosts) read(r *reader, path string, n *yaml.Node) {
	var out []string
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		s, ok := r.scalar(path, n, "a host name")
		if !ok {
			return
		}
		if s == "" || strings.ContainsAny(s, " /:@*") && net.ParseIP(s) == nil {
			r.errorf(n, path, "%s is no host name: leave out scheme, port and path", message.Quote(s))
			return
		}
		out = append(out, s)
	})
	*v.p = out
}
func (v hosts) String() string { return orNone(strings.Join(*v.p, ", ")) }
func (v hosts) wants() string  { return "a list of host names" }
