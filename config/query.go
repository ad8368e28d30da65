package config

import (
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// Query is a Prometheus API that is asked in the place of the embedded store
// (query).
type Query struct {
	// Name is what the page and errors call it (name, default the URL's host). It
	// is also below /backends/<name>/.
	Name string
	// URL is the address below which /api/v1/query is (url).
	URL  string
	HTTP HTTPClient
	// SigV4 signs the requests for AWS (sigv4, default none).
	SigV4 *QuerySigV4
	// Timeout bounds a request (timeout, default 2m).
	Timeout time.Duration
	// MaxAnswer bounds an answer in bytes (max_answer, default 64MiB), MaxResults
	// the elements of a list (max_results, default 100000).
	MaxAnswer  int64
	MaxResults int
	// MaxConcurrent bounds the requests under way (max_concurrent, default 20),
	// MaxPerSender those of one sender (max_per_sender, default 10).
	MaxConcurrent, MaxPerSender int
}

// QuerySigV4 is [SigV4] with roles that people assume themselves.
type QuerySigV4 struct {
	SigV4
	// Roles are assumed with the token of the person who signed in; the first one
	// that fits (roles, default none: all requests are signed alike).
	Roles []Role
	// SessionClaim names the session in CloudTrail (session_name_claim, default
	// email; sub if it is missing).
	SessionClaim string
	// Session is how long the credentials of a role last (session, default 1h).
	Session time.Duration
	// Others says what becomes of requests of others, such as bearer tokens: refuse
	// or server, which signs with the server's own credentials (others, default
	// refuse).
	Others string
}

// Role is a role of AWS and whose it is.
type Role struct {
	Claims map[string][]string // patterns, of which one must match, by claim
	ARN    string
}

// QueryOf returns a query backend with the defaults.
func QueryOf(address string) Query {
	q := Query{URL: address, Timeout: 2 * time.Minute, MaxAnswer: 64 << 20, MaxResults: 100_000, MaxConcurrent: 20, MaxPerSender: 10}
	if u, err := url.Parse(address); err == nil {
		q.Name = u.Hostname()
	}
	return q
}

// queries reads one backend, or a list of them.
type queries struct{ p *[]Query }

func (v queries) read(r *reader, path string, n *yaml.Node) {
	var out []Query
	if resolve(n).Kind == yaml.MappingNode {
		*v.p = append(out, r.query(path, n))
		return
	}
	names := make(map[string]int)
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		q := r.query(path, n)
		if first := names[q.Name]; q.Name != "" && first > 0 {
			r.errorf(n, path, "the name %s is that of the one in line %d too: give each its own", message.Quote(q.Name), first)
		}
		names[q.Name] = n.Line
		out = append(out, q)
	})
	*v.p = out
}

func (v queries) String() string {
	var parts []string
	for _, q := range *v.p {
		w := RemoteWrite{URL: q.URL}
		text := q.Name + " at " + w.Shown()
		switch {
		case q.SigV4 != nil && len(q.SigV4.Roles) > 0:
			text += ", sigv4 as the person"
		case q.SigV4 != nil:
			text += ", sigv4"
		case q.HTTP.Username != "":
			text += ", basic_auth"
		case q.HTTP.AuthType != "":
			text += ", authorization " + q.HTTP.AuthType
		}
		parts = append(parts, text)
	}
	return orNone(strings.Join(parts, "; "))
}

func (v queries) wants() string {
	return "{url: https://…, sigv4: {…}} or a list of them (docs/viewer.md)"
}

// isBackendName reports whether a name can be a segment of a path.
func isBackendName(s string) bool {
	return isWord(s, 100, "._-") && !strings.ContainsAny(s[len(s)-1:], "._-")
}

func (r *reader) query(path string, n *yaml.Node) Query {
	q := QueryOf("")
	fields := append(r.httpFields(&q.HTTP), r.headersField("headers", &q.HTTP),
		r.word("url", "a URL", &q.URL), r.word("name", "a name", &q.Name),
		field{"sigv4", func(path string, n *yaml.Node) { q.SigV4 = r.querySigV4(path, n) }},
		r.durationField("timeout", &q.Timeout, time.Second, 10*time.Minute),
		field{"max_answer", func(path string, n *yaml.Node) { size{&q.MaxAnswer, 64 << 10, 1 << 30}.read(r, path, n) }},
		r.countField("max_results", &q.MaxResults, 1, 1e7), r.countField("max_concurrent", &q.MaxConcurrent, 1, 1000), r.countField("max_per_sender", &q.MaxPerSender, 1, 1000))
	if !r.fields(path, n, "{url: https://…}", fields...) {
		return q
	}
	u, err := url.Parse(q.URL)
	problem := q.HTTP.problem()
	switch {
	case q.URL == "":
		problem = "url is missing"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		problem = "url is not an address such as https://prometheus.example"
	case u.User != nil:
		problem = "url has a user in it: put that into basic_auth, where a password is not shown"
	case problem != "":
	case q.SigV4 != nil && (q.HTTP.Username != "" || q.HTTP.AuthType != ""):
		problem = "sigv4 does not go with basic_auth or authorization: keep one"
	}
	if q.Name == "" && problem == "" {
		q.Name = strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Hostname())
	}
	if problem == "" && (!isBackendName(q.Name) || q.Name == "embedded") {
		problem = "the name " + message.Quote(q.Name) + " can't be part of a path: want letters, digits, dots and dashes, and not embedded"
	}
	if problem != "" {
		r.errorf(n, path, "%s", problem)
	}
	return q
}

func (r *reader) querySigV4(path string, n *yaml.Node) *QuerySigV4 {
	s := &QuerySigV4{SessionClaim: "email", Session: time.Hour, Others: "refuse"}
	if isNull(resolve(n)) {
		return s
	}
	r.fields(path, n, "{region: us-west-2}",
		r.word("region", "a region such as us-west-2", &s.Region), r.secretField("access_key", &s.AccessKey), r.secretField("secret_key", &s.SecretKey),
		r.word("profile", "a profile's name", &s.Profile), r.word("role_arn", "an ARN", &s.RoleARN), r.word("external_id", "an id", &s.ExternalID),
		r.word("session_name_claim", "a claim", &s.SessionClaim), r.durationField("session", &s.Session, 15*time.Minute, 12*time.Hour),
		field{"others", func(path string, n *yaml.Node) {
			choice{&s.Others, []string{"refuse", "server"}}.read(r, path, n)
		}},
		field{"roles", func(path string, n *yaml.Node) {
			r.list(path, n, "a list of {claims: {groups: sre}, role_arn: arn:aws:iam::…}", func(path string, n *yaml.Node) {
				var rule ClaimRule
				var role Role
				ok := r.fields(path, n, "{claims: {groups: sre}, role_arn: arn:aws:iam::…}", r.claimRule(&rule)[0], r.word("role_arn", "an ARN", &role.ARN))
				role.Claims = rule.Claims
				if ok && (len(role.Claims) == 0 || !strings.HasPrefix(role.ARN, "arn:") || !strings.Contains(role.ARN, ":role/")) {
					r.errorf(n, path, "want claims, and role_arn such as arn:aws:iam::123456789012:role/narthex-view")
				}
				s.Roles = append(s.Roles, role)
			})
		}})
	if (s.AccessKey == "") != (s.SecretKey == "") {
		r.errorf(n, path, "access_key and secret_key belong together: give both, or none for the environment's credentials")
	}
	return s
}
