package probe

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
	"narthex/internal/yamldoc"
)

func (r *moduleReader) http(path string, n *yaml.Node, h *HTTPModule) {
	var noFollow *bool
	headers := make(map[string]*yaml.Node)
	fields := append(r.ip(&h.IP), r.clientFields(&h.Client)...)
	fields = append(fields,
		field{"valid_status_codes", func(path string, n *yaml.Node) { h.ValidStatusCodes = r.codes(path, n) }},
		r.words("valid_http_versions", "a list of versions such as HTTP/1.1", &h.ValidHTTPVersions),
		r.boolean("skip_resolve_phase_with_proxy", &h.SkipResolvePhaseWithProxy),
		r.boolean("fail_if_ssl", &h.FailIfSSL), r.boolean("fail_if_not_ssl", &h.FailIfNotSSL),
		field{"no_follow_redirects", func(path string, n *yaml.Node) {
			noFollow = new(bool)
			r.boolean("", noFollow).read(path, n)
		}},
		r.text("method", "a method such as POST", &h.Method),
		field{"headers", func(path string, n *yaml.Node) {
			r.Mapping(path, n, "{name: value}", func(key, n *yaml.Node) {
				at := path + "." + message.Clip(key.Value, 80)
				if s, ok := r.header(at, key, n); ok {
					h.Headers, headers[key.Value] = withHeader(h.Headers, key.Value, s), key
				}
			})
		}},
		r.regexps("fail_if_body_matches_regexp", &h.BodyMatches), r.regexps("fail_if_body_not_matches_regexp", &h.BodyNotMatches),
		r.cel("fail_if_body_json_matches_cel", &h.BodyMatchesCEL), r.cel("fail_if_body_json_not_matches_cel", &h.BodyNotMatchesCEL),
		r.headerMatches("fail_if_header_matches", &h.HeaderMatches), r.headerMatches("fail_if_header_not_matches", &h.HeaderNotMatches),
		r.secret("body", &h.Body), r.text("body_file", "a path", &h.BodyFile),
		r.oneOf("compression", &h.Compression, "gzip", "br", "deflate", "identity"),
		r.size("body_size_limit", &h.BodySizeLimit),
		r.boolean("enable_http3", &h.EnableHTTP3),
		field{"sigv4", func(path string, n *yaml.Node) { h.SigV4 = r.sigv4(path, n) }})
	given := r.section(path, n, "settings of http", fields...)
	if given == nil {
		return
	}
	r.clientRelations(path, n, given, &h.Client)
	if noFollow != nil {
		h.Client.FollowRedirects = !*noFollow
	}
	if h.Body != "" && h.BodyFile != "" {
		r.Errorf(given["body_file"], path, "body and body_file are both given: keep one")
	}
	if h.SigV4 != nil && (h.Client.BasicAuth != nil || h.Client.AuthType != "" || h.Client.OAuth2 != nil) {
		r.Errorf(given["sigv4"], path, "sigv4 and another authentication are both given: keep one")
	}
	for name, key := range headers {
		accepts := string(h.Headers[name])
		if textproto.CanonicalMIMEHeaderKey(name) == "Accept-Encoding" && !accepted(h.Compression, accepts) {
			r.Errorf(key, path+".headers", "%s: %s does not accept compression: %s, so the answer could not be read: list it there with a quality above 0", name, accepts, h.Compression)
		}
	}
	r.http3(path, given, h)
}

// http3 checks what HTTP/3 can't be together with.
func (r *moduleReader) http3(path string, given map[string]*yaml.Node, h *HTTPModule) {
	if !h.EnableHTTP3 {
		if slices.Contains(h.ValidHTTPVersions, "HTTP/3.0") {
			r.Errorf(given["valid_http_versions"], path, "HTTP/3.0 is never spoken while enable_http3 is false")
		}
		return
	}
	if slices.Contains(h.ValidHTTPVersions, "HTTP/2.0") || slices.Contains(h.ValidHTTPVersions, "HTTP/1.1") {
		r.Errorf(given["valid_http_versions"], path, "with enable_http3 only HTTP/3.0 is spoken: take HTTP/2.0 and HTTP/1.1 out")
	}
	if h.Client.EnableHTTP2 {
		r.Errorf(given["enable_http3"], path, "enable_http3 wants enable_http2: false beside it")
	}
}

func withHeader(m map[string]Secret, name string, value Secret) map[string]Secret {
	if m == nil {
		m = make(map[string]Secret)
	}
	m[name] = value
	return m
}

// header reads a header's value, which is a secret.
func (r *moduleReader) header(path string, key, n *yaml.Node) (Secret, bool) {
	s, ok := r.expanded(path, n)
	if key.Value == "" || strings.ContainsAny(key.Value, " :\r\n") || strings.ContainsAny(s, "\r\n") {
		r.Errorf(key, path, "it can't be a header")
		return "", false
	}
	switch textproto.CanonicalMIMEHeaderKey(key.Value) {
	case "Host", "Accept-Encoding":
		r.shown[yamldoc.Resolve(n)] = s
	default:
		r.hidden[yamldoc.Resolve(n)] = true
	}
	return Secret(s), ok
}

func (r *moduleReader) codes(path string, n *yaml.Node) []int {
	var out []int
	r.list(path, n, "a list of status codes", func(path string, n *yaml.Node) {
		var code int
		if r.value(path, n, "a status code such as 200", &code) {
			r.shown[n] = n.Value
			out = append(out, code)
		}
	})
	return out
}

func (r *moduleReader) cel(name string, p *string) field {
	return field{name, func(path string, n *yaml.Node) {
		if s, ok := r.open(path, n, "an expression over body"); ok {
			if *p = s; strings.TrimSpace(s) == "" {
				r.Errorf(n, path, "it is empty: want a CEL expression over body, or leave the key out")
			}
		}
	}}
}

func (r *moduleReader) headerMatches(name string, p *[]HeaderMatch) field {
	return field{name, func(path string, n *yaml.Node) {
		*p = nil
		r.list(path, n, "a list of {header: name, regexp: x}", func(path string, n *yaml.Node) {
			var m HeaderMatch
			before := r.Problems()
			r.section(path, n, "a condition {header: name, regexp: x}",
				r.text("header", "a header's name", &m.Header), r.regexp("regexp", &m.Regexp), r.boolean("allow_missing", &m.AllowMissing))
			switch {
			case r.Problems() > before:
			case m.Header == "":
				r.Errorf(n, path, "header is missing: want a header's name")
			case m.Regexp == nil || m.Regexp.String() == "":
				r.Errorf(n, path, "regexp is missing: want a regular expression for the header's value")
			}
			*p = append(*p, m)
		})
	}}
}

func (r *moduleReader) size(name string, p *int64) field {
	return field{name, func(path string, n *yaml.Node) {
		if s, ok := r.open(path, n, "a size such as 10MB"); ok {
			size, err := parseBase2(s)
			if err != nil {
				r.Errorf(n, path, "%v", err)
				return
			}
			*p = size
		}
	}}
}

func (r *moduleReader) sigv4(path string, n *yaml.Node) *SigV4 {
	s := new(SigV4)
	given := r.section(path, n, "{region, service, role_arn, profile, access_key, secret_key}",
		r.text("region", "a region", &s.Region), r.text("service", "a service such as execute-api or lambda", &s.Service),
		r.text("role_arn", "an ARN", &s.RoleARN), r.text("profile", "a profile", &s.Profile),
		r.secret("access_key", &s.AccessKey), r.secret("secret_key", &s.SecretKey))
	if given != nil && (s.AccessKey == "") != (s.SecretKey == "") {
		r.Errorf(n, path, "access_key and secret_key belong together: give both or none")
	}
	return s
}

// accepted reports whether an Accept-Encoding header lets the server answer in
// the encoding; without either anything goes. Of entries with the encoding or *,
// the one with the highest quality counts.
func accepted(encoding, header string) bool {
	if encoding == "" || header == "" {
		return true
	}
	best, found := 0.0, false
	for part := range strings.SplitSeq(header, ",") {
		name, quality := strings.TrimSpace(part), 1.0
		if i := strings.LastIndexByte(part, ';'); i >= 0 {
			name = strings.TrimSpace(part[:i])
			quality, _ = strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(part[i+1:]), "q="), 64)
		}
		if (name == encoding || name == "*") && (!found || quality > best) {
			best, found = quality, true
		}
	}
	return found && best >= 0.0005
}
