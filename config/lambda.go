package config

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Lambda is what only the Lambda function reads (lambda); docs/serverless.md
// tells how to set one up.
type Lambda struct {
	// Roles are what the function does, of push, fold, tick, probe and logs (roles,
	// default none: all that the rest of the file has what for).
	Roles []string
	// Mode is queue or direct (mode, default none: queue if there is one). In direct
	// mode a push is folded before it is answered.
	Mode string
	// Queue is the URL of the SQS queue that pushes are sent to (queue, default
	// none).
	Queue string
	// Bodies is where pushes go that are too large for a message (bodies:
	// s3://bucket/prefix, default none: they are refused).
	Bodies string
	// ScheduleQueue is the URL of the SQS queue whose delayed messages make ticks
	// below a minute (schedule_queue, default none).
	ScheduleQueue string
	// Groups is over how many values a new store spreads the totals (groups,
	// default 1).
	Groups int
	// Relay is the narthex that pushes are handed to, instead of a ledger (relay).
	Relay Relay
	// AllowUnauthenticated lets anybody in whom neither AWS nor auth identifies
	// (allow_unauthenticated, default false).
	AllowUnauthenticated bool
	// Telemetry has the function's own series written with the others (telemetry,
	// default true).
	Telemetry bool
}

// Relay is another narthex.
type Relay struct {
	// URL is where it is, such as https://narthex.example (url, default none).
	URL string
	// Authorization is the header of that name that it is sent (authorization,
	// default none).
	Authorization Secret
}

// LambdaRoles are what a function may do.
func LambdaRoles() []string { return []string{"push", "fold", "tick", "probe", "logs"} }

// Plays reports whether the function has the role, given that the file has what
// for.
func (l *Lambda) Plays(role string) bool { return len(l.Roles) == 0 || slices.Contains(l.Roles, role) }

// Direct reports whether pushes are folded at once.
func (l *Lambda) Direct() bool { return l.Mode == "direct" || l.Mode == "" && l.Queue == "" }

// roleWords is a list of roles.
type roleWords struct{ p *[]string }

func (v roleWords) read(r *reader, path string, n *yaml.Node) {
	var out []string
	for _, s := range r.oneOrMore(path, n, v.wants()) {
		if !slices.Contains(LambdaRoles(), s) {
			r.errorf(n, path, "%s is not known; %s", message.Quote(s), message.Suggest(s, LambdaRoles()))
		}
		out = append(out, s)
	}
	*v.p = out
}
func (v roleWords) String() string { return orNone(strings.Join(*v.p, ", ")) }
func (v roleWords) wants() string  { return "a list of " + strings.Join(LambdaRoles(), ", ") }

// place is an address that may be left out: of a queue, a bucket, a table, a
// server.
type place struct {
	p        *string
	example  string
	prefixes []string
}

func (v place) read(r *reader, path string, n *yaml.Node) {
	s, ok := r.scalar(path, n, v.wants())
	if !ok {
		return
	}
	if s != "" {
		u, err := url.Parse(s)
		switch {
		case err != nil || !slices.ContainsFunc(v.prefixes, func(p string) bool { return len(s) > len(p) && strings.HasPrefix(s, p) }):
			// Its text may have a password, so it isn't shown.
			r.errorf(n, path, "it is not an address such as %s", v.example)
			return
		case u.User != nil:
			r.errorf(n, path, "it has a user in it, which would be shown and logged: leave that out")
			return
		case u.RawQuery != "" || u.Fragment != "":
			r.errorf(n, path, "it has a query: want at most a path, as in %s", v.example)
			return
		}
	}
	*v.p = s
}
func (v place) String() string { return orNone(*v.p) }
func (v place) wants() string  { return "an address such as " + v.example + ` or ""` }

func queueAddress(p *string) value {
	return place{p, "https://sqs.eu-central-1.amazonaws.com/123456789012/narthex", []string{"https://", "http://"}}
}

// optionalSecret is a [Secret] that may be left out.
type optionalSecret struct{ secret }

func (v optionalSecret) read(r *reader, path string, n *yaml.Node) {
	if n = resolve(n); n.Kind == yaml.ScalarNode && n.Value == "" && !isNull(n) {
		*v.p = ""
		return
	}
	v.secret.read(r, path, n)
}
