package probe

import (
	"context"
	"crypto/tls"
	"net"
)

// probeUnix connects to the Unix socket at the path that the target is, and has
// the conversation of the module, if there is one.
func probeUnix(ctx context.Context, t *trial) error {
	m := &t.module.Unix
	t.conversationMetrics()
	conn, err := t.net.dialUnix(ctx, t.target)
	if err != nil {
		return err
	}
	handshake := func(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
		if m.TLS.ServerName == "" && !m.TLS.InsecureSkipVerify {
			return nil, failed(PhaseTLS, ReasonCertHostname, "a Unix socket has no host name to check the certificate for: set tls_config.server_name")
		}
		return t.handshake(ctx, conn, &m.TLS, "")
	}
	return t.talk(ctx, conn, m.UseTLS, m.Conversation, handshake)
}
