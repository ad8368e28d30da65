package probe

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
	"narthex/internal/yamldoc"
)

// httpClient reads an HTTP client's configuration that stands alone.
func (r *moduleReader) httpClient(path string, n *yaml.Node, c *HTTPClient) {
	if given := r.section(path, n, "settings of the HTTP client", r.clientFields(c)...); given != nil {
		r.clientRelations(path, n, given, c)
	}
}

// clientFields are those of Prometheus's HTTPClientConfig.
//
// Source: prometheus/common/config, http_config.go v0.70.
func (r *moduleReader) clientFields(c *HTTPClient) []field {
	return append(r.proxyFields(&c.Proxy),
		field{"basic_auth", func(path string, n *yaml.Node) { c.BasicAuth = r.basicAuth(path, n) }},
		field{"authorization", func(path string, n *yaml.Node) { r.authorization(path, n, c) }},
		field{"bearer_token", func(path string, n *yaml.Node) {
			if r.secret("", &c.Credentials.Value).read(path, n); c.Credentials.Value != "" {
				c.AuthType = "Bearer"
			}
		}},
		field{"bearer_token_file", func(path string, n *yaml.Node) {
			if r.text("", "a path", &c.Credentials.File).read(path, n); c.Credentials.File != "" {
				c.AuthType = "Bearer"
			}
		}},
		field{"oauth2", func(path string, n *yaml.Node) { c.OAuth2 = r.oauth2(path, n) }},
		r.tlsConfig(&c.TLS), r.boolean("follow_redirects", &c.FollowRedirects), r.boolean("enable_http2", &c.EnableHTTP2),
		r.headerValues("http_headers", &c.HTTPHeaders, true))
}

// clientRelations checks what must hold between the settings of a client.
func (r *moduleReader) clientRelations(path string, n *yaml.Node, given map[string]*yaml.Node, c *HTTPClient) {
	var kinds []string
	for _, name := range []string{"basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2"} {
		if given[name] != nil {
			kinds = append(kinds, name)
		}
	}
	if len(kinds) > 1 {
		r.Errorf(given[kinds[1]], path, "%s are given together: keep one", strings.Join(kinds, " and "))
	}
	r.proxyRelations(path, given, &c.Proxy)
}

// noReference refuses the name of a secret in a secret manager.
func (r *moduleReader) noReference(name, instead string) field {
	return field{name, func(path string, n *yaml.Node) {
		r.Errorf(n, path, "there is no secret manager to ask: use %s", instead)
	}}
}

func (r *moduleReader) basicAuth(path string, n *yaml.Node) *BasicAuth {
	a := new(BasicAuth)
	r.section(path, n, "{username, password or password_file}",
		r.text("username", "a name", &a.Username), r.text("username_file", "a path", &a.UsernameFile),
		r.secret("password", &a.Password.Value), r.text("password_file", "a path", &a.Password.File),
		r.noReference("username_ref", "username_file"), r.noReference("password_ref", "password_file or ${NAME}"))
	r.atMostOne(path, n, "username", a.Username, "username_file", a.UsernameFile)
	r.atMostOne(path, n, "password", string(a.Password.Value), "password_file", a.Password.File)
	return a
}

func (r *moduleReader) authorization(path string, n *yaml.Node, c *HTTPClient) {
	kind := "Bearer"
	r.section(path, n, "{type, credentials or credentials_file}",
		r.text("type", "a scheme such as Bearer", &kind), r.secret("credentials", &c.Credentials.Value), r.text("credentials_file", "a path", &c.Credentials.File),
		r.noReference("credentials_ref", "credentials_file or ${NAME}"))
	if c.AuthType = strings.TrimSpace(kind); c.AuthType == "" {
		c.AuthType = "Bearer"
	}
	if strings.EqualFold(c.AuthType, "basic") {
		r.Errorf(n, path, "the type Basic is written as basic_auth")
	}
	r.atMostOne(path, n, "credentials", string(c.Credentials.Value), "credentials_file", c.Credentials.File)
}

// atMostOne checks that not both of two settings have a value.
func (r *moduleReader) atMostOne(path string, n *yaml.Node, name, value, name2, value2 string) {
	if value != "" && value2 != "" {
		r.Errorf(n, path, "%s and %s are both given: keep one", name, name2)
	}
}

// jwtBearer is the grant type of RFC 7523.
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

func (r *moduleReader) oauth2(path string, n *yaml.Node) *OAuth2 {
	o := new(OAuth2)
	grant := ""
	assertion := func(name string) field {
		return field{name, func(path string, n *yaml.Node) {
			r.Errorf(n, path, "it belongs to the grant type %s, which narthex does not have: use client_id and client_secret", jwtBearer)
		}}
	}
	fields := append(r.proxyFields(&o.Proxy),
		r.text("client_id", "an id", &o.ClientID), r.secret("client_secret", &o.ClientSecret.Value), r.text("client_secret_file", "a path", &o.ClientSecret.File),
		r.noReference("client_secret_ref", "client_secret_file or ${NAME}"),
		r.words("scopes", "a list of scopes", &o.Scopes), r.url("token_url", &o.TokenURL), r.tlsConfig(&o.TLS),
		field{"endpoint_params", func(path string, n *yaml.Node) {
			o.EndpointParams = make(map[string]string)
			r.Mapping(path, n, "{name: value}", func(key, n *yaml.Node) {
				var s Secret
				r.secret("", &s).read(path+"."+message.Clip(key.Value, 80), n)
				o.EndpointParams[key.Value] = string(s)
			})
		}},
		r.oneOf("grant_type", &grant, "client_credentials", jwtBearer))
	for _, name := range []string{"client_certificate_key_id", "client_certificate_key", "client_certificate_key_file", "client_certificate_key_ref", "signature_algorithm", "iss", "audience", "claims"} {
		fields = append(fields, assertion(name))
	}
	given := r.section(path, n, "{client_id, client_secret, token_url, scopes}", fields...)
	switch {
	case given == nil:
		return o
	case o.ClientID == "":
		r.Errorf(n, path, "client_id is missing")
	case given["token_url"] == nil:
		r.Errorf(n, path, "token_url is missing: want the address that gives tokens")
	case grant == jwtBearer:
		r.Errorf(given["grant_type"], path, "narthex has the grant type client_credentials only")
	}
	r.atMostOne(path, n, "client_secret", string(o.ClientSecret.Value), "client_secret_file", o.ClientSecret.File)
	r.proxyRelations(path, given, &o.Proxy)
	return o
}

func (r *moduleReader) proxyFields(p *Proxy) []field {
	return []field{
		r.url("proxy_url", &p.URL), r.text("no_proxy", "hosts and networks, with commas between", &p.NoProxy),
		r.boolean("proxy_from_environment", &p.FromEnvironment), r.secretLists("proxy_connect_header", &p.ConnectHeader),
	}
}

func (r *moduleReader) proxyRelations(path string, given map[string]*yaml.Node, p *Proxy) {
	switch {
	case len(p.ConnectHeader) > 0 && !p.FromEnvironment && p.URL == "":
		r.Errorf(given["proxy_connect_header"], path, "proxy_connect_header wants proxy_url or proxy_from_environment beside it")
	case p.FromEnvironment && p.URL != "":
		r.Errorf(given["proxy_from_environment"], path, "proxy_from_environment and proxy_url are both given: keep one")
	case p.FromEnvironment && p.NoProxy != "":
		r.Errorf(given["no_proxy"], path, "no_proxy comes from the environment too: leave it out beside proxy_from_environment")
	case p.NoProxy != "" && given["proxy_url"] == nil:
		r.Errorf(given["no_proxy"], path, "no_proxy wants proxy_url beside it")
	}
}

// url is a field with an address, whose password is not shown.
func (r *moduleReader) url(name string, p *string) field {
	return field{name, func(path string, n *yaml.Node) {
		s, ok := r.expanded(path, n)
		u, err := url.Parse(s)
		switch {
		case !ok || s == "":
		case err != nil || u.Host == "":
			r.Errorf(n, path, "it is not an address such as http://proxy:3128")
		default:
			*p, r.shown[n] = s, u.Redacted()
		}
	}}
}

func (r *moduleReader) tlsConfig(t *TLS) field {
	return field{"tls_config", func(path string, n *yaml.Node) {
		versions := []string{"TLS10", "TLS11", "TLS12", "TLS13"}
		version := func(name string, p *uint16) field {
			return field{name, func(path string, n *yaml.Node) {
				var s string
				r.oneOf(name, &s, versions...).read(path, n)
				if i := slices.Index(versions, s); i >= 0 {
					*p = tls.VersionTLS10 + uint16(i)
				}
			}}
		}
		given := r.section(path, n, "{ca_file, cert_file, key_file, server_name, insecure_skip_verify, min_version, max_version}",
			r.text("ca", "certificates in PEM", &t.CA), r.text("ca_file", "a path", &t.CAFile),
			r.text("cert", "a certificate in PEM", &t.Cert), r.text("cert_file", "a path", &t.CertFile),
			r.secret("key", &t.Key.Value), r.text("key_file", "a path", &t.Key.File),
			r.noReference("ca_ref", "ca_file"), r.noReference("cert_ref", "cert_file"), r.noReference("key_ref", "key_file"),
			r.text("server_name", "a name", &t.ServerName), r.boolean("insecure_skip_verify", &t.InsecureSkipVerify),
			version("min_version", &t.MinVersion), version("max_version", &t.MaxVersion))
		r.atMostOne(path, n, "ca", t.CA, "ca_file", t.CAFile)
		r.atMostOne(path, n, "cert", t.Cert, "cert_file", t.CertFile)
		r.atMostOne(path, n, "key", string(t.Key.Value), "key_file", t.Key.File)
		cert, key := t.Cert != "" || t.CertFile != "", t.Key.Value != "" || t.Key.File != ""
		switch {
		case given == nil:
		case cert != key:
			r.Errorf(n, path, "a certificate and its key belong together: give cert_file and key_file, or neither")
		case t.MaxVersion != 0 && t.MaxVersion < t.MinVersion:
			r.Errorf(given["max_version"], path, "max_version is below min_version")
		}
	}}
}

// reservedHeaders can't be among http_headers.
//
// Source: prometheus/common/config, headers.go.
var reservedHeaders = []string{
	"Authorization", "Host", "Content-Encoding", "Content-Length", "Content-Type", "User-Agent", "Connection", "Keep-Alive",
	"Proxy-Authenticate", "Proxy-Authorization", "Www-Authenticate", "Accept-Encoding",
	"X-Prometheus-Remote-Write-Version", "X-Prometheus-Remote-Read-Version", "X-Prometheus-Scrape-Timeout-Seconds",
	"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
}

// headerValues is a field of headers with values, secrets and files; a single text
// is one secret.
func (r *moduleReader) headerValues(name string, p *map[string]HeaderValues, reserved bool) field {
	return field{name, func(path string, n *yaml.Node) {
		*p = make(map[string]HeaderValues)
		r.Mapping(path, n, "{name: {values: […], secrets: […], files: […]}}", func(key, n *yaml.Node) {
			at := path + "." + message.Clip(key.Value, 80)
			var h HeaderValues
			if n = yamldoc.Resolve(n); n.Kind == yaml.ScalarNode {
				if s, ok := r.header(at, key, n); ok {
					h.Secrets = []Secret{s}
				}
			} else {
				r.section(at, n, "{values: […], secrets: […], files: […]}", r.words("values", "a list of values", &h.Values),
					r.secrets("secrets", &h.Secrets), r.words("files", "a list of paths", &h.Files))
			}
			if reserved && slices.Contains(reservedHeaders, http.CanonicalHeaderKey(key.Value)) {
				r.Errorf(key, at, "%s can't be set here: it is one of those that have settings of their own, or that belong to the connection", http.CanonicalHeaderKey(key.Value))
			}
			(*p)[key.Value] = h
		})
	}}
}
