package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
)

// HTTPClient is how requests that narthex sends authenticate and travel, in the
// words of Prometheus's HTTP client configuration.
type HTTPClient struct {
	// Username and Password are those of basic_auth; PasswordFile is read anew
	// for each request.
	Username     string
	Password     Secret
	PasswordFile string
	// AuthType and Credentials are those of authorization (type, default Bearer);
	// CredentialsFile is read anew for each request.
	AuthType        string
	Credentials     Secret
	CredentialsFile string
	// Headers are sent with each request.
	Headers map[string]Secret
	TLS     TLSClient
	// ProxyURL is the proxy for all requests; ProxyFromEnvironment takes
	// HTTP_PROXY and the like.
	ProxyURL             string
	ProxyFromEnvironment bool
}

// TLSClient is a tls_config.
type TLSClient struct {
	CAFile, CertFile, KeyFile string
	ServerName                string
	InsecureSkipVerify        bool
	MinVersion                string // TLS10, TLS11, TLS12 or TLS13; default TLS12
}

// httpFields are the fields of an HTTP client.
func (r *reader) httpFields(c *HTTPClient) []field {
	bearer := func(read func(path string, n *yaml.Node)) func(path string, n *yaml.Node) {
		return func(path string, n *yaml.Node) { c.AuthType = "Bearer"; read(path, n) }
	}
	return []field{
		{"basic_auth", func(path string, n *yaml.Node) {
			if r.fields(path, n, "{username, password or password_file}",
				r.word("username", "a name", &c.Username), r.secretField("password", &c.Password), r.word("password_file", "a path", &c.PasswordFile)) {
				switch {
				case c.Username == "":
					r.errorf(n, path, "username is missing")
				case c.Password != "" && c.PasswordFile != "":
					r.errorf(n, path, "password and password_file are both given: keep one")
				}
			}
		}},
		{"authorization", func(path string, n *yaml.Node) {
			c.AuthType = "Bearer"
			if r.fields(path, n, "{type, credentials or credentials_file}",
				r.word("type", "a scheme such as Bearer", &c.AuthType), r.secretField("credentials", &c.Credentials), r.word("credentials_file", "a path", &c.CredentialsFile)) {
				switch {
				case strings.EqualFold(c.AuthType, "basic"):
					r.errorf(n, path, "the type Basic is written as basic_auth")
				case (c.Credentials == "") == (c.CredentialsFile == ""):
					r.errorf(n, path, "want one of credentials and credentials_file")
				}
			}
		}},
		{"bearer_token", bearer(r.secretField("bearer_token", &c.Credentials).read)},
		{"bearer_token_file", bearer(r.word("bearer_token_file", "a path", &c.CredentialsFile).read)},
		{"tls_config", func(path string, n *yaml.Node) { r.tls(path, n, &c.TLS) }},
		{"proxy_url", func(path string, n *yaml.Node) {
			c.ProxyURL, _ = r.scalar(path, n, "a URL")
			if u, err := url.Parse(c.ProxyURL); err != nil || u.Host == "" {
				r.errorf(n, path, "it is not a URL such as http://proxy:3128")
			}
		}},
		{"proxy_from_environment", func(path string, n *yaml.Node) { boolean{&c.ProxyFromEnvironment}.read(r, path, n) }},
		{"enable_http2", func(path string, n *yaml.Node) {
			var on bool
			if (boolean{&on}).read(r, path, n); !on {
				r.note(n, path, "HTTP/2 is used wherever a server offers it over TLS")
			}
		}},
	}
}

// headersField reads extra headers, whose values are secrets.
func (r *reader) headersField(name string, c *HTTPClient) field {
	return field{name, func(path string, n *yaml.Node) {
		r.mapping(path, n, "{name: value}", func(key, n *yaml.Node) {
			var value Secret
			at := path + "." + message.Clip(key.Value, 80)
			switch (secret{&value}).read(r, at, n); {
			case key.Value == "" || strings.ContainsAny(key.Value, " :\r\n") || strings.ContainsAny(string(value), "\r\n"):
				r.errorf(key, at, "it can't be a header")
			case strings.EqualFold(key.Value, "authorization"):
				r.errorf(key, at, "use authorization or basic_auth instead")
			default:
				if c.Headers == nil {
					c.Headers = make(map[string]Secret)
				}
				c.Headers[key.Value] = value
			}
		})
	}}
}

func (r *reader) tls(path string, n *yaml.Node, t *TLSClient) {
	const wants = "{ca_file, cert_file, key_file, server_name, insecure_skip_verify, min_version}"
	ok := r.but(path, n, wants, map[string]string{
		"ca": "write it to a file and name that: ca_file", "cert": "write it to a file and name that: cert_file", "key": "write it to a file and name that: key_file",
		"max_version": "the newest version that both sides have is used",
	}, r.word("ca_file", "a path", &t.CAFile), r.word("cert_file", "a path", &t.CertFile), r.word("key_file", "a path", &t.KeyFile), r.word("server_name", "a name", &t.ServerName),
		field{"insecure_skip_verify", func(path string, n *yaml.Node) { boolean{&t.InsecureSkipVerify}.read(r, path, n) }},
		field{"min_version", func(path string, n *yaml.Node) {
			choice{&t.MinVersion, []string{"TLS10", "TLS11", "TLS12", "TLS13"}}.read(r, path, n)
		}})
	if ok && (t.CertFile == "") != (t.KeyFile == "") {
		r.errorf(n, path, "cert_file and key_file belong together: give both or none")
	}
}

// problem says what is wrong with the client as a whole.
func (c *HTTPClient) problem() string {
	basic, other := c.Username != "", c.Credentials != "" || c.CredentialsFile != ""
	switch {
	case basic && other:
		return "basic_auth and authorization are both given: keep one"
	case c.Credentials != "" && c.CredentialsFile != "":
		return "credentials are given twice, as themselves and as a file: keep one"
	case c.ProxyURL != "" && c.ProxyFromEnvironment:
		return "proxy_url and proxy_from_environment are both given: keep one"
	}
	return ""
}

func (r *reader) secretField(name string, p *Secret) field {
	return field{name, func(path string, n *yaml.Node) { secret{p}.read(r, path, n) }}
}

// but is fields for a mapping of Prometheus's of which some keys are refused by
// name, with the reason.
func (r *reader) but(path string, n *yaml.Node, wants string, refused map[string]string, fields ...field) (ok bool) {
	n = resolve(n)
	before := r.Problems()
	if n.Kind == yaml.MappingNode {
		rest := *n
		rest.Content = nil
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			why := refused[key.Value]
			if strings.HasSuffix(key.Value, "_sd_configs") {
				why = refused["*_sd_configs"]
			}
			if why == "" {
				rest.Content = append(rest.Content, key, n.Content[i+1])
				continue
			}
			r.errorf(key, path+"."+key.Value, "narthex does not have this: %s", why)
		}
		n = &rest
	}
	r.fields(path, n, wants, fields...)
	return r.Problems() == before
}

// idle are keys of Prometheus's that mean nothing here and do no harm.
func (r *reader) idle(fields map[string]string) []field {
	var out []field
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, field{name, func(path string, n *yaml.Node) { r.note(n, path, fields[name]) }})
	}
	return out
}

// note tells the reader of narthex check about a setting that has no effect.
func (r *reader) note(n *yaml.Node, path, why string) {
	r.config.notes = append(r.config.notes, (&Error{File: r.Name(), Line: n.Line, Msg: path + " has no effect: " + why}).Error())
}
