package probe

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"narthex/internal/message"
	"narthex/internal/yamldoc"
)

// maxModulesFile is how large a file of modules may be, in bytes.
const maxModulesFile = 1 << 20

// ParseModules reads a file in the blackbox exporter's format, {modules: {name:
// module}}. env gives the environment's variables (as os.LookupEnv) for ${NAME}
// in secrets. The errors are all that was found, one *yamldoc.Error each, in the
// order of the lines.
//
// Source: prometheus/blackbox_exporter, CONFIGURATION.md and config/config.go, of
// v0.28 and the current main; docs/probes.md has what is read otherwise.
func ParseModules(name string, data []byte, env func(string) (string, bool)) (map[string]*Module, error) {
	r := newModuleReader(name, env)
	if len(data) > maxModulesFile {
		r.Add(0, "the file is larger than 1MiB")
		return nil, r.Err()
	}
	out := make(map[string]*Module)
	switch root, ok := r.Document(data); {
	case !ok:
	case root == nil:
		r.Add(0, "the file is empty: want modules: {name: {prober: http}}")
	default:
		r.section("", root, "{modules: {…}}", field{"modules", func(path string, n *yaml.Node) { out = r.modules("", n) }})
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// ReadModules reads the value of modules where it is part of another file, which
// has the name.
func ReadModules(name string, modules *yaml.Node, env func(string) (string, bool)) (map[string]*Module, error) {
	r := newModuleReader(name, env)
	out := r.modules("modules.", modules)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// moduleReader reads modules.
type moduleReader struct {
	*yamldoc.Reader
	env func(string) (string, bool)
	// shown are the values that are no secrets, as they are to be shown; hidden are
	// those that some key has as a secret.
	shown  map[*yaml.Node]string
	hidden map[*yaml.Node]bool
	// environment says that the module that is read has something from there.
	environment bool
}

func newModuleReader(name string, env func(string) (string, bool)) *moduleReader {
	return &moduleReader{Reader: yamldoc.NewReader(name), env: env, shown: make(map[*yaml.Node]string), hidden: make(map[*yaml.Node]bool)}
}

// modules reads the modules, whose paths begin with the prefix.
func (r *moduleReader) modules(prefix string, n *yaml.Node) map[string]*Module {
	out := make(map[string]*Module)
	if yamldoc.IsNull(n) {
		return out
	}
	r.Mapping(strings.TrimSuffix(prefix, "."), n, "modules such as {http_2xx: {prober: http}}", func(key, n *yaml.Node) {
		if key.Value == "" {
			r.Errorf(key, prefix, "a module needs a name")
			return
		}
		m := r.module(prefix+message.Clip(key.Value, 80), key, n)
		// Not before it is asked for: it would be half of a function's start.
		m.source = sync.OnceValue(func() string { return r.show(key, n) })
		out[key.Value] = m
	})
	return out
}

// module reads one module.
func (r *moduleReader) module(path string, key, n *yaml.Node) *Module {
	m := Defaults(key.Value)
	r.environment = false
	given := r.section(path, n, "a module such as {prober: http, timeout: 5s}",
		r.oneOf("prober", &m.Prober, "http", "tcp", "icmp", "dns", "grpc", "unix", "websocket"),
		r.duration("timeout", &m.Timeout),
		field{"http", func(path string, n *yaml.Node) { r.http(path, n, &m.HTTP) }},
		field{"tcp", func(path string, n *yaml.Node) { r.tcp(path, n, &m.TCP) }},
		field{"icmp", func(path string, n *yaml.Node) { r.icmp(path, n, &m.ICMP) }},
		field{"dns", func(path string, n *yaml.Node) { r.dns(path, n, &m.DNS) }},
		field{"grpc", func(path string, n *yaml.Node) { r.grpc(path, n, &m.GRPC) }},
		field{"unix", func(path string, n *yaml.Node) { r.unix(path, n, &m.Unix) }},
		field{"websocket", func(path string, n *yaml.Node) { r.websocket(path, n, &m.WebSocket) }},
		r.words("allowed_targets", "a list of targets such as https://*.example/", &m.AllowedTargets),
		r.oneOf("addresses", &m.Addresses, "one", "all", "happy"),
		r.resolver("resolver", &m.Resolver),
		r.number("retries", &m.Retries, 0, 10))
	switch {
	case given == nil:
	case given["prober"] == nil:
		r.Errorf(key, path, "prober is missing: want http, tcp, icmp, dns, grpc, unix or websocket")
	case m.Prober == "dns" && given["dns"] == nil:
		r.Errorf(key, path, "dns.query_name is missing: say which name is to be asked for")
	}
	m.environment = r.environment
	return m
}

func (r *moduleReader) tcp(path string, n *yaml.Node, t *TCPModule) {
	r.section(path, n, "settings of tcp", append(r.ip(&t.IP), r.sourceAddress(&t.SourceAddress), r.steps(&t.Conversation),
		r.boolean("tls", &t.UseTLS), r.tlsConfig(&t.TLS))...)
}

func (r *moduleReader) unix(path string, n *yaml.Node, u *UnixModule) {
	r.section(path, n, "settings of unix", r.steps(&u.Conversation), r.boolean("tls", &u.UseTLS), r.tlsConfig(&u.TLS))
}

func (r *moduleReader) icmp(path string, n *yaml.Node, i *ICMPModule) {
	r.section(path, n, "settings of icmp", append(r.ip(&i.IP), r.sourceAddress(&i.SourceAddress),
		r.number("payload_size", &i.PayloadSize, 0, 65507), r.boolean("dont_fragment", &i.DontFragment),
		r.number("ttl", &i.TTL, 0, 255), r.number("packets", &i.Packets, 1, 100), r.duration("interval", &i.Interval))...)
}

func (r *moduleReader) grpc(path string, n *yaml.Node, g *GRPCModule) {
	r.section(path, n, "settings of grpc", append(r.ip(&g.IP), r.text("service", "a service's name", &g.Service),
		r.boolean("tls", &g.UseTLS), r.tlsConfig(&g.TLS), r.secretLists("metadata", &g.Metadata))...)
}

func (r *moduleReader) websocket(path string, n *yaml.Node, w *WebSocketModule) {
	r.section(path, n, "settings of websocket", append(r.ip(&w.IP),
		field{"http_config", func(path string, n *yaml.Node) { r.httpClient(path, n, &w.Client) }},
		r.headerValues("headers", &w.Headers, false), r.steps(&w.Conversation))...)
}

// ip are the fields of [IP].
func (r *moduleReader) ip(ip *IP) []field {
	return []field{r.oneOf("preferred_ip_protocol", &ip.Protocol, "ip4", "ip6"), r.boolean("ip_protocol_fallback", &ip.Fallback)}
}

// steps is the field query_response.
func (r *moduleReader) steps(p *[]Step) field {
	return field{"query_response", func(path string, n *yaml.Node) {
		*p = nil
		r.list(path, n, "a list of {expect: regexp, send: text}", func(path string, n *yaml.Node) {
			var s Step
			given := r.section(path, n, "a step such as {expect: regexp, send: text}",
				r.regexp("expect", &s.Expect), r.text("expect_bytes", "bytes", &s.ExpectBytes), r.plainSecret("send", &s.Send), r.boolean("starttls", &s.StartTLS),
				field{"labels", func(path string, n *yaml.Node) {
					r.list(path, n, "a list of {name: x, value: y}", func(path string, n *yaml.Node) {
						var l StepLabel
						r.section(path, n, "a label {name: x, value: y}", r.text("name", "a label's name", &l.Name), r.text("value", "a value", &l.Value))
						if !isLabelName(l.Name) {
							r.Errorf(n, path, "name %s can't be a label's: want letters, digits and underscores", message.Quote(l.Name))
						}
						s.Labels = append(s.Labels, l)
					})
				}})
			if s.Expect != nil && s.ExpectBytes != "" {
				r.Errorf(given["expect_bytes"], path, "expect and expect_bytes are both given: keep one")
			}
			*p = append(*p, s)
		})
	}}
}

func isLabelName(s string) bool {
	const letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", "0123456789"
	return s != "" && !strings.Contains(digits, s[:1]) && strings.Trim(s, letters+digits) == ""
}

// parseModuleDuration reads a duration: Go's, as the exporter does, or a whole
// number with one of the units that its documentation has besides: d, w and y.
func parseModuleDuration(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	text := s
	for suffix, unit := range map[string]time.Duration{"d": day, "w": 7 * day, "y": 365 * day} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			var n int64
			if _, err := fmt.Sscanf(number, "%d", &n); err == nil && fmt.Sprint(n) == number && n >= 0 && n < int64(200*365*day/unit) {
				return time.Duration(n) * unit, nil
			}
		}
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s is no duration: want one such as 5s, 500ms or 1m30s", message.Quote(s))
	case d < 0:
		return 0, fmt.Errorf("%s is below 0", s)
	}
	return d, nil
}
