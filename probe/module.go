package probe

import (
	"regexp"
	"time"
)

// Module is one way to probe: an entry of modules in the blackbox exporter's
// file. Field comments name the key and its default. What the exporter does not
// have says so.
type Module struct {
	Name string
	// Prober is http, tcp, icmp, dns, grpc, unix or websocket (prober).
	Prober string
	// Timeout bounds the probe, besides the scrape's timeout (timeout, default none).
	Timeout time.Duration

	// The exporter does not have the next four.

	// AllowedTargets, if there are any, are what may be probed: a target, or one
	// with * for any characters (allowed_targets).
	AllowedTargets []string
	// Addresses says which addresses of a name are tried: one, all (each of them
	// has to succeed) or happy (the first that connects) (addresses, default one).
	Addresses string
	// Resolver is asked instead of the system's: udp://1.1.1.1, tcp://…, tls://… or
	// https://… (resolver).
	Resolver string
	// Retries is how often a probe that failed is made again before it counts as
	// failed; probe_attempts tells (retries, default 0).
	Retries int

	HTTP      HTTPModule
	TCP       TCPModule
	ICMP      ICMPModule
	DNS       DNSModule
	GRPC      GRPCModule
	Unix      UnixModule
	WebSocket WebSocketModule

	source      func() string // see Source
	environment bool          // something in it comes from the environment
}

// IP is which protocol is probed.
type IP struct {
	Protocol string // ip4, ip6 or "", which is ip6 (preferred_ip_protocol)
	Fallback bool   // the other one will do (ip_protocol_fallback, default true)
}

// Secret is a value that is never shown: a formatted one is <secret>.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "<secret>"
}

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// SecretSource is a secret, or the file that has it, which is read at each use.
type SecretSource struct {
	Value Secret
	File  string
}

// HTTPModule is how HTTP is probed (http).
type HTTPModule struct {
	IP
	ValidStatusCodes          []int    // valid_status_codes, default 2xx
	ValidHTTPVersions         []string // valid_http_versions, default any
	SkipResolvePhaseWithProxy bool
	FailIfSSL, FailIfNotSSL   bool
	Method                    string            // method, default GET
	Headers                   map[string]Secret // headers; shown by name only
	BodyMatches               []*regexp.Regexp  // fail_if_body_matches_regexp
	BodyNotMatches            []*regexp.Regexp  // fail_if_body_not_matches_regexp
	BodyMatchesCEL            string            // fail_if_body_json_matches_cel
	BodyNotMatchesCEL         string            // fail_if_body_json_not_matches_cel
	HeaderMatches             []HeaderMatch     // fail_if_header_matches
	HeaderNotMatches          []HeaderMatch     // fail_if_header_not_matches
	Body                      Secret
	BodyFile                  string
	Compression               string // gzip, br, deflate or identity
	BodySizeLimit             int64  // body_size_limit, default 10MiB, where the exporter has none
	EnableHTTP3               bool
	Client                    HTTPClient

	// SigV4 signs the request; the exporter does not have it (sigv4).
	SigV4 *SigV4
}

// SigV4 is how a request is signed for AWS.
type SigV4 struct {
	Region, Service, RoleARN, Profile string
	AccessKey, SecretKey              Secret
}

// HeaderMatch is a condition on a header of the answer.
type HeaderMatch struct {
	Header       string
	Regexp       *regexp.Regexp
	AllowMissing bool
}

// HTTPClient is how requests authenticate and travel, in the words of
// Prometheus's HTTP client configuration.
type HTTPClient struct {
	BasicAuth *BasicAuth
	// AuthType and Credentials are those of authorization; bearer_token and
	// bearer_token_file are the type Bearer.
	AuthType    string
	Credentials SecretSource
	OAuth2      *OAuth2
	TLS         TLS
	Proxy       Proxy
	// FollowRedirects, default true; EnableHTTP2, default true.
	FollowRedirects, EnableHTTP2 bool
	// HTTPHeaders are http_headers.
	HTTPHeaders map[string]HeaderValues
}

// BasicAuth is a user with a password; either may be in a file.
type BasicAuth struct {
	Username     string
	UsernameFile string
	Password     SecretSource
}

// Proxy is how a proxy is found.
type Proxy struct {
	URL             string // proxy_url
	NoProxy         string // no_proxy
	FromEnvironment bool   // proxy_from_environment
	ConnectHeader   map[string][]Secret
}

// HeaderValues are an entry of http_headers: values, secrets, files.
type HeaderValues struct {
	Values  []string
	Secrets []Secret
	Files   []string
}

// OAuth2 is the client credentials flow of RFC 6749, section 4.4.
type OAuth2 struct {
	ClientID       string
	ClientSecret   SecretSource
	Scopes         []string
	TokenURL       string
	EndpointParams map[string]string
	TLS            TLS
	Proxy          Proxy
}

// TLS is a tls_config.
type TLS struct {
	CA, CAFile             string
	Cert, CertFile         string
	Key                    SecretSource
	ServerName             string
	InsecureSkipVerify     bool
	MinVersion, MaxVersion uint16 // of crypto/tls; 0 is its default
}

// Step is an entry of query_response.
type Step struct {
	Expect      *regexp.Regexp
	ExpectBytes string
	Labels      []StepLabel // for probe_expect_info; Value may refer to groups of Expect
	Send        Secret
	StartTLS    bool
}

// StepLabel is a label of probe_expect_info.
type StepLabel struct{ Name, Value string }

// TCPModule is how TCP is probed (tcp).
type TCPModule struct {
	IP
	SourceAddress string // source_ip_address
	Conversation  []Step // query_response
	UseTLS        bool   // tls
	TLS           TLS    // tls_config
}

// UnixModule is how a Unix socket is probed (unix).
type UnixModule struct {
	Conversation []Step
	UseTLS       bool
	TLS          TLS
}

// ICMPModule is how ICMP is probed (icmp).
type ICMPModule struct {
	IP
	SourceAddress string
	PayloadSize   int
	DontFragment  bool
	TTL           int // ttl, default 64
	// Packets and Interval are how many echo requests are sent and how far apart; the
	// exporter sends one (packets, default 1; interval, default 100ms).
	Packets  int
	Interval time.Duration
}

// DNSModule is how DNS is probed (dns).
type DNSModule struct {
	IP
	OverTLS       bool // dns_over_tls
	TLS           TLS
	SourceAddress string
	Transport     string // transport_protocol: udp (default), tcp; https is DNS over HTTPS, which the exporter does not have
	QueryClass    string // query_class, default IN
	QueryName     string
	QueryType     string // query_type, default ANY
	Recursion     bool   // recursion_desired, default true
	ValidRcodes   []string
	// Answer, Authority and Additional validate the sections (validate_answer_rrs …).
	Answer, Authority, Additional Records
}

// Records are conditions on the records of a section.
type Records struct {
	FailIfMatches, FailIfAllMatch, FailIfNotMatches, FailIfNoneMatches []*regexp.Regexp
}

// GRPCModule is how gRPC's health service is probed (grpc).
type GRPCModule struct {
	IP
	Service  string
	UseTLS   bool // tls
	TLS      TLS
	Metadata map[string][]Secret
}

// WebSocketModule is how a WebSocket is probed (websocket).
type WebSocketModule struct {
	IP
	Client       HTTPClient // http_config
	Headers      map[string]HeaderValues
	Conversation []Step // query_response
}

// PreferIPv4 makes IPv4 what is probed where the module does not say. It is for
// places without a way out by IPv6.
func (m *Module) PreferIPv4() {
	for _, ip := range []*IP{&m.HTTP.IP, &m.TCP.IP, &m.ICMP.IP, &m.DNS.IP, &m.GRPC.IP, &m.WebSocket.IP} {
		if ip.Protocol == "" {
			ip.Protocol = "ip4"
		}
	}
}

// Defaults returns a module with the defaults of every prober.
func Defaults(name string) *Module {
	ip, client := IP{Fallback: true}, HTTPClient{FollowRedirects: true, EnableHTTP2: true}
	return &Module{
		Name: name, Addresses: "one",
		HTTP: HTTPModule{IP: ip, Client: client, BodySizeLimit: 10 << 20},
		TCP:  TCPModule{IP: ip}, ICMP: ICMPModule{IP: ip, TTL: 64, Packets: 1, Interval: 100 * time.Millisecond},
		DNS: DNSModule{IP: ip, Recursion: true}, GRPC: GRPCModule{IP: ip}, WebSocket: WebSocketModule{IP: ip, Client: client},
	}
}
