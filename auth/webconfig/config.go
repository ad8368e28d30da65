package webconfig

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// Config is the content of a file.
type Config struct {
	// Users are the bcrypt hashes of passwords, by user.
	Users map[string]string
	// Headers are set on each answer.
	Headers map[string]string
	// HTTP2 allows it, where there is TLS.
	HTTP2 bool
	// Limiter bounds the rate of requests; nil does not.
	Limiter *Limiter
	// RequiresCertificate is whether nobody connects without a certificate that
	// was verified.
	RequiresCertificate bool

	tls   *tls.Config
	files []string // that the TLS is made of
}

// paths returns the files that the configuration is made of.
func (c *Config) paths(own string) []string { return append([]string{own}, c.files...) }

// fileYAML is the file as it is written.
type fileYAML struct {
	TLS  tlsYAML `yaml:"tls_server_config"`
	HTTP struct {
		HTTP2   *bool             `yaml:"http2"`
		Headers map[string]string `yaml:"headers"`
	} `yaml:"http_server_config"`
	Users map[string]string `yaml:"basic_auth_users"`
	Rate  struct {
		Interval time.Duration `yaml:"interval"`
		Burst    int           `yaml:"burst"`
	} `yaml:"rate_limit"`
}

// maxCost is the highest cost of a hash: it takes some 20 s to compare with
// already, and each step doubles that.
const maxCost = 18

// headerValues are the headers that can be set; nil allows any value.
var headerValues = map[string][]string{
	"Content-Security-Policy":   nil,
	"Strict-Transport-Security": nil,
	"X-Content-Type-Options":    {"nosniff"},
	"X-Frame-Options":           {"deny", "sameorigin"},
	"X-XSS-Protection":          nil,
}

func load(path string) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	d, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return d.config(filepath.Dir(path))
}

// Parse reads the YAML and checks what can be checked without other files.
func Parse(text []byte) (*Document, error) {
	var d Document
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&d.y); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(withoutValues(err))
	}
	for _, user := range slices.Sorted(maps.Keys(d.y.Users)) {
		cost, err := bcrypt.Cost([]byte(d.y.Users[user]))
		switch {
		case err != nil: // its text may have some of what is there
			return nil, fmt.Errorf("basic_auth_users: the password of %.80q is not a bcrypt hash: make one with htpasswd -nBC 10 NAME", user)
		case cost > maxCost:
			return nil, fmt.Errorf("basic_auth_users: the hash of %.80q has the cost %d, the limit is %d", user, cost, maxCost)
		}
	}
	for name, value := range d.y.HTTP.Headers {
		allowed, known := headerValues[name]
		switch {
		case !known:
			return nil, fmt.Errorf("http_server_config: the header %.80q can't be set: want one of %s", name, strings.Join(slices.Sorted(maps.Keys(headerValues)), ", "))
		case len(allowed) > 0 && !slices.Contains(allowed, value):
			return nil, fmt.Errorf("http_server_config: %s is %.80q: want %s", name, value, strings.Join(allowed, " or "))
		}
	}
	if i, n := d.y.Rate.Interval, d.y.Rate.Burst; i < 0 || n < 0 || i > 0 && (n == 0 || int64(n) > math.MaxInt64/2/int64(i)) {
		return nil, errors.New("rate_limit: want an interval and a burst above 0")
	}
	if err := d.y.TLS.check(); err != nil {
		return nil, err
	}
	return &d, nil
}

// Document is a file that was read, without the files that it names.
type Document struct{ y fileYAML }

// withoutValues returns a YAML error without the values in it, which may be
// secrets: "line 3: cannot unmarshal a value into int".
func withoutValues(err error) string {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if strings.Contains(text, "anchor") { // its message has the rest of the value
			text = "a value that begins with * or & must be in quotes"
		}
		return "this is not YAML: " + text
	}
	var out []string
	for _, e := range wrong.Errors {
		const verb = "cannot unmarshal "
		if from, to := strings.Index(e, verb), strings.LastIndex(e, " into "); from >= 0 && to > from {
			e = e[:from+len(verb)] + "a value" + e[to:]
		}
		if before, _, found := strings.Cut(e, " not found in type "); found {
			e = strings.Replace(before, "field ", "unknown key ", 1)
		}
		out = append(out, e)
	}
	return strings.Join(out, "; ")
}

// config returns the configuration; dir is what its paths are relative to.
func (d *Document) config(dir string) (*Config, error) {
	c := &Config{Users: d.y.Users, Headers: make(map[string]string), HTTP2: d.y.HTTP.HTTP2 == nil || *d.y.HTTP.HTTP2}
	for name, value := range d.y.HTTP.Headers {
		if value != "" {
			c.Headers[http.CanonicalHeaderKey(name)] = value
		}
	}
	if d.y.Rate.Interval > 0 {
		c.Limiter = &Limiter{interval: d.y.Rate.Interval, burst: d.y.Rate.Burst}
	}
	if !d.y.TLS.used() {
		return c, nil
	}
	var err error
	if c.tls, c.files, err = d.y.TLS.config(dir); err != nil {
		return nil, fmt.Errorf("tls_server_config: %w", err)
	}
	c.RequiresCertificate = c.tls.ClientAuth == tls.RequireAndVerifyClientCert
	return c, nil
}
