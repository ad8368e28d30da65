package probe

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"
)

// labelLimit is how many bytes of what a peer sends, in a certificate or in what it
// says, a label has at most.
const labelLimit = 2048

// tlsMetrics sets what the exporter tells of a connection's certificates. For one
// whose verification failed there is no expiry of the last chain, since there is no
// chain.
func (t *trial) tlsMetrics(s *shaken) {
	certs := s.state.PeerCertificates
	if len(certs) == 0 {
		return
	}
	leaf := certs[0]
	t.gauge("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime").Set(float64(earliest(certs).Unix()))
	if s.err == nil {
		t.gauge("probe_ssl_last_chain_expiry_timestamp_seconds", "Returns last SSL chain expiry in timestamp").Set(float64(lastExpiry(s.chains).Unix()))
	}
	sum := sha256.Sum256(leaf.Raw)
	t.gauge("probe_ssl_last_chain_info", "Contains SSL leaf certificate information",
		"fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber").With(
		hex.EncodeToString(sum[:]),
		labelText(leaf.Subject.String()),
		labelText(leaf.Issuer.String()),
		labelText(strings.Join(leaf.DNSNames, ",")),
		hex.EncodeToString(leaf.SerialNumber.Bytes()),
	).Set(1)
	t.gauge("probe_tls_version_info", "Returns the TLS version used or NaN when unknown", "version").With(tls.VersionName(s.state.Version)).Set(1)
	t.gauge("probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake", "cipher").With(tls.CipherSuiteName(s.state.CipherSuite)).Set(1)
}

// earliest returns when the first of the certificates expires.
func earliest(certs []*x509.Certificate) time.Time {
	var out time.Time
	for _, c := range certs {
		if out.IsZero() || c.NotAfter.Before(out) {
			out = c.NotAfter
		}
	}
	return out
}

// lastExpiry returns when the chain expires that is good for longest: the zero time
// if there is none.
func lastExpiry(chains [][]*x509.Certificate) time.Time {
	var out time.Time
	for _, chain := range chains {
		if e := earliest(chain); out.Before(e) {
			out = e
		}
	}
	return out
}
