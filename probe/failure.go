package probe

import (
	"context"
	"errors"
	"fmt"
)

// Failure says where and why a probe failed. Phase and Reason are from closed
// lists, so that they can be labels; Err is for a person.
type Failure struct {
	Phase  Phase
	Reason Reason
	Err    error
}

// Error returns the phase, the reason and the cause.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %s: %v", f.Phase, f.Reason, f.Err) }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Phase is how far a probe came.
type Phase string

// The phases, in the order in which a probe goes through them.
const (
	PhasePolicy   Phase = "policy"   // the guard, or what this place can do
	PhaseDNS      Phase = "dns"      // the target's name
	PhaseConnect  Phase = "connect"  // the connection, a proxy's included
	PhaseTLS      Phase = "tls"      // the handshake and the certificate
	PhaseAuth     Phase = "auth"     // fetching an OAuth token, reading a secret, signing
	PhaseRequest  Phase = "request"  // sending
	PhaseResponse Phase = "response" // receiving
	PhaseAssert   Phase = "assert"   // what the module demands of the answer
	PhaseInternal Phase = "internal" // a defect of the prober
)

// Reason is why a probe failed.
type Reason string

// The reasons. A new one needs a line in docs/probes.md.
const (
	ReasonTimeout     Reason = "timeout"      // the deadline passed in this phase
	ReasonDenied      Reason = "denied"       // the guard forbids the address
	ReasonNotAllowed  Reason = "not_allowed"  // the target is not among the module's allowed_targets
	ReasonUnsupported Reason = "unsupported"  // this program or place can't do that
	ReasonBadTarget   Reason = "bad_target"   // the target can't be read
	ReasonNoSuchHost  Reason = "no_such_host" // the name has no address
	ReasonNoAddress   Reason = "no_address"   // it has none of the protocol that is asked for
	ReasonResolver    Reason = "resolver"     // the resolver failed or can't be reached
	ReasonRefused     Reason = "refused"
	ReasonReset       Reason = "reset"
	ReasonUnreachable Reason = "unreachable" // network or host
	ReasonProxy       Reason = "proxy"       // the proxy refused
	ReasonClosed      Reason = "closed"      // the peer ended the connection too early
	ReasonPermission  Reason = "permission"  // the system forbids the socket or file

	ReasonCertExpired   Reason = "cert_expired" // or not yet valid
	ReasonCertHostname  Reason = "cert_hostname"
	ReasonCertUntrusted Reason = "cert_untrusted"
	ReasonHandshake     Reason = "handshake"  // any other failure of TLS
	ReasonNotTLS        Reason = "not_tls"    // the peer does not speak TLS
	ReasonUnwanted      Reason = "unwanted"   // TLS, a redirect … that the module forbids
	ReasonMissing       Reason = "missing"    // TLS, a header … that the module demands
	ReasonProtocol      Reason = "protocol"   // the answer is malformed
	ReasonCredentials   Reason = "credential" // a secret can't be read, or is refused
	ReasonTooLarge      Reason = "too_large"  // the body passes body_size_limit
	ReasonRedirects     Reason = "redirects"  // too many, or one that can't be followed
	ReasonStatus        Reason = "status"     // HTTP, gRPC or WebSocket status; DNS rcode
	ReasonVersion       Reason = "version"    // of HTTP
	ReasonBody          Reason = "body"       // regular expressions and CEL
	ReasonHeader        Reason = "header"
	ReasonEncoding      Reason = "encoding" // compression
	ReasonMismatch      Reason = "mismatch" // what was received is not what is expected
	ReasonRecords       Reason = "records"  // DNS records do not validate
	ReasonNotServing    Reason = "not_serving"
	ReasonLoss          Reason = "loss" // all ICMP packets were lost
	ReasonPanic         Reason = "panic"
	ReasonOther         Reason = "other"
)

// failed returns a *Failure; the format may have %w.
func failed(phase Phase, reason Reason, format string, args ...any) error {
	return &Failure{Phase: phase, Reason: reason, Err: fmt.Errorf(format, args...)}
}

// asFailure returns err as a *Failure, nil if err is nil. An error that has none
// in its chain is one of the response; when ctx has ended, it is a timeout.
func asFailure(ctx context.Context, err error) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Phase: PhaseResponse, Reason: ReasonOther, Err: err}
	}
	if ctx.Err() != nil && f.Reason != ReasonTimeout && f.Reason != ReasonLoss && f.Phase != PhaseAssert && f.Phase != PhasePolicy {
		f = &Failure{Phase: f.Phase, Reason: ReasonTimeout, Err: f.Err}
	}
	return f
}
