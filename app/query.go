package app

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"narthex/config"
	"narthex/internal/aws"
	"narthex/internal/stats"
	"narthex/proxy"
)

// Backends are the Prometheus APIs that are asked for what is stored, the first
// of them in the place of the embedded store.
type Backends []*proxy.Backend

// BackendOptions are what Backends have besides the configuration.
type BackendOptions struct {
	// Format and Parse answer format_query and parse_query here; nil asks the
	// backend.
	Format func(string) (string, error)
	Parse  func(string) (any, error)
	// MaxAnswer bounds answers further than the configuration does; 0 does not.
	MaxAnswer int64
	Version   string
	Stats     *stats.Set
	Logger    *slog.Logger
}

// NewBackends makes the backends of a configuration. It does not touch the
// network.
func NewBackends(c *config.Config, o BackendOptions) (Backends, error) {
	var out Backends
	for _, q := range c.Query {
		carrier, err := queryTransport(q)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", q.Name, err)
		}
		if o.MaxAnswer > 0 {
			q.MaxAnswer = min(q.MaxAnswer, o.MaxAnswer)
		}
		b, err := proxy.New(proxy.Options{
			Name: q.Name, URL: q.URL, Transport: carrier, Format: o.Format, Parse: o.Parse,
			Timeout: q.Timeout, MaxAnswer: q.MaxAnswer, MaxResults: q.MaxResults, MaxConcurrent: q.MaxConcurrent, MaxPerSender: q.MaxPerSender,
			Sender:    func(r *http.Request) string { name, _ := IdentityOf(r); return name },
			UserAgent: "narthex/" + o.Version, Stats: o.Stats, Logger: o.Logger,
		})
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", q.Name, err)
		}
		out = append(out, b)
	}
	return out, nil
}

// queryTransport returns what carries a backend's requests.
func queryTransport(q config.Query) (http.RoundTripper, error) {
	carrier, err := transport(q.HTTP)
	if err != nil || q.SigV4 == nil {
		return carrier, err
	}
	s := q.SigV4
	region := cmp.Or(s.Region, RegionOf(q.URL))
	service := "aps"
	if strings.Contains(q.URL, "://monitoring.") { // CloudWatch's own PromQL
		service = "monitoring"
	}
	var own http.RoundTripper
	if len(s.Roles) == 0 || s.Others == "server" {
		o := aws.Options{Region: region, Profile: s.Profile, RoleARN: s.RoleARN, ExternalID: s.ExternalID}
		if s.AccessKey != "" {
			o.Credentials = aws.Credentials{AccessKeyID: string(s.AccessKey), SecretAccessKey: string(s.SecretKey)}
		}
		session, err := aws.Open(o)
		if err != nil {
			return nil, fmt.Errorf("sigv4: %w", err)
		}
		own = signing{session.Transport(service, carrier)}
	}
	if len(s.Roles) == 0 {
		return own, nil
	}
	return newAssumer(q, region, service, carrier, own)
}

// RegionOf returns the region that an AWS address names.
func RegionOf(address string) string {
	_, host, _ := strings.Cut(address, "://")
	host, _, _ = strings.Cut(host, "/")
	if parts := strings.Split(host, "."); len(parts) > 3 && parts[len(parts)-2] == "amazonaws" || len(parts) > 4 && parts[len(parts)-3] == "amazonaws" {
		return parts[1]
	}
	return ""
}

// signing says of an error whether it is for want of credentials.
type signing struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	var e *aws.Error
	if errors.As(err, &e) {
		return nil, &proxy.CredentialsError{Code: http.StatusBadGateway, Err: fmt.Errorf("AWS gives no credentials: %w", err)}
	}
	return resp, err
}

// Names returns the backends' names, in their order.
func (all Backends) Names() []string {
	out := make([]string, len(all))
	for i, b := range all {
		out[i] = b.Name()
	}
	return out
}

// Mount registers the backends below /backends/<name>/, and the first one at the
// root too. names are those that the page may switch between. page serves the page
// itself.
func (all Backends) Mount(mux *http.ServeMux, names []string, page http.Handler) {
	for i, b := range all {
		prefix := "/backends/" + b.Name()
		b.Mount(mux, prefix)
		b.MountRecord(mux, prefix, names)
		mux.Handle(prefix+"/", http.StripPrefix(prefix, page))
		if i == 0 {
			b.Mount(mux, "")
			b.MountRecord(mux, "", names)
		}
	}
}
