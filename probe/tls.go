package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// shaken is what a handshake showed, whether or not it came to an end.
type shaken struct {
	state  tls.ConnectionState
	chains [][]*x509.Certificate // as verified; none if nothing is verified, or that failed
	err    error
}

// tlsConfig returns what crypto/tls needs for a handshake with serverName, which
// c.ServerName replaces. It verifies as crypto/tls does, after it has taken down
// what the peer showed: see t.shaken. Errors are *Failures.
func (t *trial) tlsConfig(c *TLS, serverName string) (*tls.Config, error) {
	if c.ServerName != "" {
		serverName = c.ServerName
	}
	out := &tls.Config{MinVersion: c.MinVersion, MaxVersion: c.MaxVersion, ServerName: serverName}
	roots, err := t.roots(c)
	if err != nil {
		return nil, err
	}
	if c.Cert != "" || c.CertFile != "" {
		pair, err := t.keyPair(c)
		if err != nil {
			return nil, err
		}
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	// crypto/tls verifies nothing by itself, so that VerifyConnection is called, and
	// does it, when the certificate is wrong too.
	out.InsecureSkipVerify = true
	out.VerifyConnection = func(state tls.ConnectionState) error {
		s := &shaken{state: state}
		if !c.InsecureSkipVerify {
			s.chains, s.err = verify(state.PeerCertificates, roots, serverName, t.prober.o.Now())
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.shaken = append(t.shaken, s)
		return s.err
	}
	return out, nil
}

// verify does what crypto/tls does without InsecureSkipVerify.
func verify(certs []*x509.Certificate, roots *x509.CertPool, name string, now time.Time) ([][]*x509.Certificate, error) {
	if len(certs) == 0 {
		return nil, errors.New("the peer has no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, DNSName: name, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, c := range certs[1:] {
		o.Intermediates.AddCert(c)
	}
	chains, err := certs[0].Verify(o)
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: certs, Err: err}
	}
	return chains, nil
}

// roots returns the pool that is to be trusted, nil for the system's.
func (t *trial) roots(c *TLS) (*x509.CertPool, error) {
	text, err := t.text(c.CA, c.CAFile)
	if err != nil || text == "" {
		return nil, err
	}
	pool := t.prober.pools.of(text)
	if pool == nil {
		return nil, failed(PhaseAuth, ReasonCredentials, "tls_config: there is no certificate in ca or ca_file %s", c.CAFile)
	}
	return pool, nil
}

// pools are the certificates of ca and ca_file, parsed, so that not every probe
// does that again. A file that changes is another text.
type pools struct {
	mu     sync.Mutex
	byText map[string]*x509.CertPool
}

// poolLimit is how many are kept; files that change leave old ones behind.
const poolLimit = 64

// of returns the pool of a text in PEM, nil if it has no certificate.
func (p *pools) of(text string) *x509.CertPool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pool := p.byText[text]; pool != nil {
		return pool
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil
	}
	if p.byText == nil || len(p.byText) >= poolLimit {
		p.byText = make(map[string]*x509.CertPool)
	}
	p.byText[text] = pool
	return pool
}

// keyPair returns the client's certificate.
func (t *trial) keyPair(c *TLS) (tls.Certificate, error) {
	cert, err := t.text(c.Cert, c.CertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := t.secret(c.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return tls.Certificate{}, failed(PhaseAuth, ReasonCredentials, "tls_config: the client's certificate and key: %w", err)
	}
	return pair, nil
}

// handshake makes a TLS connection of conn and sets the metrics of tlsMetrics, also
// when the peer's certificate is refused. protocols are offered (ALPN). It closes
// conn when it fails. Errors are *Failures.
func (t *trial) handshake(ctx context.Context, conn net.Conn, c *TLS, serverName string, protocols ...string) (*tls.Conn, error) {
	config, err := t.tlsConfig(c, serverName)
	if err != nil {
		conn.Close()
		return nil, err
	}
	config.NextProtos = protocols
	out := tls.Client(conn, config)
	err = out.HandshakeContext(ctx)
	if s := t.lastShaken(); s != nil {
		t.tlsMetrics(s)
	}
	if err != nil {
		conn.Close()
		return nil, asTLSFailure(ctx, err)
	}
	t.log.Debug("TLS handshake done", "version", tls.VersionName(out.ConnectionState().Version), "server_name", config.ServerName)
	return out, nil
}

// lastShaken returns what the last handshake showed, nil if there was none that
// came as far as the certificate.
func (t *trial) lastShaken() *shaken {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.shaken) == 0 {
		return nil
	}
	return t.shaken[len(t.shaken)-1]
}

// shakenFor returns what the handshake of a connection showed: its state alone does
// not have the chains.
func (t *trial) shakenFor(state *tls.ConnectionState) *shaken {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.shaken {
		if len(state.PeerCertificates) > 0 && len(s.state.PeerCertificates) > 0 && s.state.PeerCertificates[0] == state.PeerCertificates[0] {
			return s
		}
	}
	return &shaken{state: *state}
}

// asTLSFailure says why a handshake failed.
func asTLSFailure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Phase: PhaseTLS, Reason: tlsReason(ctx, err), Err: err}
}

// tlsReason returns the reason of an error of crypto/tls.
func tlsReason(ctx context.Context, err error) Reason {
	var (
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		untrusted *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &hostname):
		return ReasonCertHostname
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ReasonCertExpired
	case errors.As(err, &untrusted):
		return ReasonCertUntrusted
	case errors.As(err, &record):
		return ReasonNotTLS
	case errors.As(err, &alert):
		return ReasonHandshake
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	case closedEarly(err):
		return ReasonClosed
	}
	if r := reasonOf(ctx, err); r != ReasonOther {
		return r
	}
	return ReasonHandshake
}

// closedEarly reports whether the peer has ended a connection.
func closedEarly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// isTLSError reports whether an error, of a transport say, is one of a handshake.
func isTLSError(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert)
}
