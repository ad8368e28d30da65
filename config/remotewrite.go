package config

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex"
	"narthex/internal/message"
)

// RemoteWrite is a destination for samples (remote_write), in the words of
// Prometheus.
type RemoteWrite struct {
	// Name is what logs, metrics and the outbox's directory call it (name, default
	// the URL's host). It must stay the same across restarts.
	Name string
	// URL is the receiver's address (url).
	URL string
	// Timeout bounds one request (remote_timeout, default 30s).
	Timeout time.Duration
	HTTP    HTTPClient
	// SigV4 signs the requests for AWS (sigv4, default none).
	SigV4 *SigV4
	// Relabel is what series go through before they are sent
	// (write_relabel_configs).
	Relabel []Relabel
	// Version is the protocol, 1 or 2; 0 is 2.0 with a way back to 1.0, and 1.0
	// for Amazon (protobuf_message: prometheus.WriteRequest or
	// io.prometheus.write.v2.Request, default auto).
	Version int
	// MaxSamples, Concurrency, MinBackoff and MaxBackoff are those of queue_config:
	// max_samples_per_send (default 2000), max_shards (default 4), min_backoff (30ms)
	// and max_backoff (5s).
	MaxSamples, Concurrency int
	MinBackoff, MaxBackoff  time.Duration
	// Exemplars, NativeHistograms and Metadata are sent if true (send_exemplars,
	// send_native_histograms, metadata_config.send; default true).
	Exemplars, NativeHistograms, Metadata bool
	MetadataInterval                      time.Duration // metadata_config.send_interval, default 1m
	// OutboxBytes and OutboxAge bound what waits on the disk while the destination
	// is away (outbox: {max_bytes: 1GiB, max_age: 24h}).
	OutboxBytes int64
	OutboxAge   time.Duration
}

// SigV4 is Prometheus's sigv4: AWS's signature, with credentials of one's own or
// those of the environment.
type SigV4 struct {
	Region               string
	AccessKey, SecretKey Secret
	Profile, RoleARN     string
	ExternalID           string
}

type remoteWrites struct{ p *[]RemoteWrite }

func (v remoteWrites) read(r *reader, path string, n *yaml.Node) {
	names := make(map[string]int)
	var out []RemoteWrite
	r.list(path, n, v.wants(), func(path string, n *yaml.Node) {
		w, ok := r.remoteWrite(path, n)
		if first := names[w.Name]; ok && first > 0 {
			r.errorf(n, path, "the name %s is that of the destination in line %d too: give each a name that stays", message.Quote(w.Name), first)
		}
		names[w.Name] = n.Line
		out = append(out, w)
	})
	*v.p = out
}

func (v remoteWrites) String() string {
	var parts []string
	for _, w := range *v.p {
		text := w.Name + " at " + w.Shown()
		switch {
		case w.SigV4 != nil:
			text += ", sigv4"
			if w.SigV4.Region != "" {
				text += " " + w.SigV4.Region
			}
		case w.HTTP.Username != "":
			text += ", basic_auth"
		case w.HTTP.AuthType != "":
			text += ", authorization " + w.HTTP.AuthType
		}
		if n := len(w.Relabel); n > 0 {
			text += fmt.Sprintf(", %d write_relabel_configs", n)
		}
		if w.Version > 0 {
			text += fmt.Sprintf(", remote write %d.0", w.Version)
		}
		text += fmt.Sprintf(", outbox %s and %s", FormatSize(w.OutboxBytes), FormatDuration(w.OutboxAge))
		parts = append(parts, text)
	}
	return orNone(strings.Join(parts, "; "))
}

func (v remoteWrites) wants() string {
	return "a list of {url: https://…}, as in Prometheus (docs/remote-write.md)"
}

// Shown returns the address without what may be secret.
func (w *RemoteWrite) Shown() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return "?"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// RemoteWriteTo returns a destination with the defaults.
func RemoteWriteTo(address string) RemoteWrite {
	w := RemoteWrite{
		URL: address, Timeout: 30 * time.Second, MaxSamples: 2000, Concurrency: 4, MinBackoff: 30 * time.Millisecond, MaxBackoff: 5 * time.Second,
		Exemplars: true, NativeHistograms: true, Metadata: true, MetadataInterval: time.Minute, OutboxBytes: 1 << 30, OutboxAge: day,
	}
	if u, err := url.Parse(address); err == nil {
		w.Name = u.Host
	}
	return w
}

func (r *reader) remoteWrite(path string, n *yaml.Node) (RemoteWrite, bool) {
	w := RemoteWriteTo("")
	message := ""
	flag := func(name string, p *bool) field {
		return field{name, func(path string, n *yaml.Node) { boolean{p}.read(r, path, n) }}
	}
	fields := append(r.httpFields(&w.HTTP), r.headersField("headers", &w.HTTP),
		r.word("url", "a URL", &w.URL), r.word("name", "a name", &w.Name), r.durationField("remote_timeout", &w.Timeout, 100*time.Millisecond, 10*time.Minute),
		field{"sigv4", func(path string, n *yaml.Node) { w.SigV4 = r.sigv4(path, n) }},
		r.relabelField("write_relabel_configs", &w.Relabel),
		r.word("protobuf_message", "prometheus.WriteRequest or io.prometheus.write.v2.Request", &message),
		field{"queue_config", func(path string, n *yaml.Node) { r.queue(path, n, &w) }},
		flag("send_exemplars", &w.Exemplars), flag("send_native_histograms", &w.NativeHistograms),
		field{"metadata_config", func(path string, n *yaml.Node) {
			r.fields(path, n, "{send, send_interval}", append(r.idle(map[string]string{"max_samples_per_send": "as much metadata as fits goes with each request"}),
				flag("send", &w.Metadata), r.durationField("send_interval", &w.MetadataInterval, time.Second, day))...)
		}},
		field{"outbox", func(path string, n *yaml.Node) {
			r.fields(path, n, "{max_bytes: 1GiB, max_age: 24h}",
				field{"max_bytes", func(path string, n *yaml.Node) { size{&w.OutboxBytes, 1 << 20, 1 << 50}.read(r, path, n) }},
				r.durationField("max_age", &w.OutboxAge, time.Minute, year))
		}})
	fields = append(fields, r.idle(map[string]string{
		"follow_redirects": "redirects are never followed, the error names the address they lead to", "round_robin_dns": "each new connection asks the DNS again",
	})...)
	const elsewhere = "narthex signs for AWS (sigv4) and sends credentials of a file (authorization.credentials_file), which something else can keep fresh"
	ok := r.but(path, n, "a destination {url: https://…}", map[string]string{
		"azuread": elsewhere, "google_iam": elsewhere, "oauth2": elsewhere, "http_headers": "use headers, a mapping of names to values",
	}, fields...)
	if ok {
		ok = r.remoteWriteProblem(path, n, &w, message)
	}
	return w, ok
}

// remoteWriteProblem reports what is wrong with a destination as a whole, and
// fills in what follows from the rest.
func (r *reader) remoteWriteProblem(path string, n *yaml.Node, w *RemoteWrite, protobuf string) bool {
	u, err := url.Parse(w.URL)
	problem := w.HTTP.problem()
	switch {
	case w.URL == "":
		problem = "url is missing"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		problem = "url is not an address such as https://host/api/v1/write"
	case u.User != nil:
		problem = "url has a user in it: put that into basic_auth, where a password is not shown"
	case problem != "":
	case w.SigV4 != nil && (w.HTTP.Username != "" || w.HTTP.AuthType != ""):
		problem = "sigv4 does not go with basic_auth or authorization: keep one"
	case w.Name == "store":
		problem = "the name store is that of the embedded store: choose another"
	case len(w.Name) > 100 || strings.ContainsFunc(w.Name, func(c rune) bool { return c < ' ' }):
		problem = "the name is longer than 100 bytes, or has control characters"
	case w.MinBackoff > w.MaxBackoff:
		problem = "queue_config.min_backoff is above max_backoff"
	}
	switch protobuf {
	case "":
	case "prometheus.WriteRequest":
		w.Version = 1
	case "io.prometheus.write.v2.Request":
		w.Version = 2
	default:
		problem = "protobuf_message " + message.Quote(protobuf) + " is not known: want prometheus.WriteRequest or io.prometheus.write.v2.Request, or leave it out"
	}
	if problem != "" {
		r.errorf(n, path, "%s", problem)
		return false
	}
	if w.Name == "" {
		w.Name = u.Host
	}
	return true
}

func (r *reader) durationField(name string, p *time.Duration, least, most time.Duration) field {
	return field{name, func(path string, n *yaml.Node) { duration{p, least, most}.read(r, path, n) }}
}

func (r *reader) countField(name string, p *int, least, most int) field {
	return field{name, func(path string, n *yaml.Node) { count{p, least, most}.read(r, path, n) }}
}

func (r *reader) queue(path string, n *yaml.Node, w *RemoteWrite) {
	fields := append(r.idle(map[string]string{
		"capacity": "there is no queue in memory: a tick is sent when it is taken, and samples of their own wait on the disk (outbox)", "min_shards": "connections are made as they are needed, up to max_shards",
		"batch_send_deadline": "nothing waits for a request to be full", "retry_on_http_429": "429 is always tried again",
	}), r.countField("max_samples_per_send", &w.MaxSamples, 1, 1e6), r.countField("max_shards", &w.Concurrency, 1, 1000),
		r.durationField("min_backoff", &w.MinBackoff, time.Millisecond, time.Hour), r.durationField("max_backoff", &w.MaxBackoff, time.Millisecond, time.Hour))
	r.but(path, n, "{max_samples_per_send, max_shards, min_backoff, max_backoff}", map[string]string{"sample_age_limit": "use outbox: {max_age: …}"}, fields...)
}

func (r *reader) sigv4(path string, n *yaml.Node) *SigV4 {
	s := new(SigV4)
	if resolve(n).Kind == yaml.MappingNode && len(resolve(n).Content) == 0 || isNull(resolve(n)) {
		return s
	}
	ok := r.but(path, n, "{region: us-west-2}", map[string]string{
		"use_fips_sts_endpoint": "set AWS_ENDPOINT_URL_STS to it", "service_name": "remote write is signed for aps",
	}, r.word("region", "a region such as us-west-2", &s.Region), r.secretField("access_key", &s.AccessKey), r.secretField("secret_key", &s.SecretKey),
		r.word("profile", "a profile's name", &s.Profile), r.word("role_arn", "an ARN", &s.RoleARN), r.word("external_id", "an id", &s.ExternalID))
	if ok && (s.AccessKey == "") != (s.SecretKey == "") {
		r.errorf(n, path, "access_key and secret_key belong together: give both, or none for the environment's credentials")
	}
	return s
}

// labelSet is a setting of labels with values.
type labelSet struct{ p *narthex.Labels }

func (v labelSet) read(r *reader, path string, n *yaml.Node) {
	var out narthex.Labels
	r.mapping(path, n, v.wants(), func(key, n *yaml.Node) {
		at := path + "." + message.Clip(key.Value, 80)
		value, ok := r.scalar(at, n, "a value")
		check := narthex.Labels{{Name: narthex.MetricName, Value: "x"}, {Name: key.Value, Value: value}}
		switch err := (narthex.NameScheme{UTF8: true, MaxValue: math.MaxUint16}).Check(check); {
		case !ok:
		case err != nil || key.Value == narthex.MetricName:
			r.errorf(key, at, "%s can't be a label here: want a name that does not begin with __", message.Quote(key.Value))
		case value == "":
			r.errorf(n, at, "it is empty: want a value")
		default:
			out = out.With(key.Value, value)
		}
	})
	*v.p = out
}

func (v labelSet) String() string {
	var parts []string
	for _, l := range *v.p {
		parts = append(parts, fmt.Sprintf("%s=%q", l.Name, l.Value))
	}
	return orNone(strings.Join(parts, ", "))
}

func (v labelSet) wants() string { return "a mapping of labels to values, such as {env: prod}" }

// noStorage reads storage: none and reports whether that is what is there.
func (r *reader) noStorage(n *yaml.Node, line int) bool {
	if n = resolve(n); n.Kind != yaml.ScalarNode || n.Value != "none" {
		return false
	}
	r.config.Storage.None = true
	for _, o := range options {
		if strings.HasPrefix(o.path, "storage.") {
			r.config.set[o.path] = line
		}
	}
	r.later = append(r.later, func() {
		if len(r.config.RemoteWrite) == 0 && !r.wrong["remote_write"] {
			r.add(line, "storage: none, and no remote_write: the samples would go nowhere; name a destination, or leave storage out")
		}
	})
	return true
}

// nothing stands in the place of settings of the store if there is none.
type nothing struct{ value }

func (nothing) String() string { return "none" }

// stored returns the setting of the embedded store, or nothing if there is none.
func stored(c *Config, v value) value {
	if c.Storage.None {
		return nothing{v}
	}
	return v
}
