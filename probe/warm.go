package probe

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// Warm does what the first probe of a target would otherwise have to wait for: it
// reads the certificates that the system trusts, if that probe checks one. It takes
// some 13 ms of processor time, once. Run does so too, before its clock starts. It
// returns how long that took.
func (p *Prober) Warm(r Request) time.Duration {
	m := p.o.Modules[r.Module]
	if m == nil || !m.trusts(r.Target) || p.trusted.read.Load() {
		return 0
	}
	begun := time.Now()
	p.trusted.Do(func() { _, _ = x509.SystemCertPool() }) // the probe that needs them will say what is wrong
	p.trusted.read.Store(true)
	return time.Since(begun)
}

// trusts reports whether a probe of the target checks a certificate, as far as can
// be told before; a redirect may lead to one.
func (m *Module) trusts(target string) bool {
	starts := func(steps []Step) bool { return slices.ContainsFunc(steps, func(s Step) bool { return s.StartTLS }) }
	switch m.Prober {
	case "http":
		return m.HTTP.EnableHTTP3 || strings.HasPrefix(target, "https:")
	case "websocket":
		return strings.HasPrefix(target, "wss:")
	case "tcp":
		return m.TCP.UseTLS || starts(m.TCP.Conversation)
	case "unix":
		return m.Unix.UseTLS || starts(m.Unix.Conversation)
	case "grpc":
		return m.GRPC.UseTLS
	case "dns":
		return m.DNS.OverTLS || m.DNS.Transport == "https"
	}
	return false
}
