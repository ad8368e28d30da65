package probe

import (
	"context"
	"crypto/tls"
	"net"
)

// probeTCP connects, and has the conversation of the module, if there is one.
func probeTCP(ctx context.Context, t *trial) error {
	m := &t.module.TCP
	t.conversationMetrics()
	host, port, err := net.SplitHostPort(t.target)
	if err != nil {
		return failed(PhasePolicy, ReasonBadTarget, "the target of a tcp probe is host:port: %w", err)
	}
	conn, err := t.connect(ctx, "tcp", host, port, m.IP, m.SourceAddress)
	if err != nil {
		return err
	}
	handshake := func(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
		return t.handshake(ctx, conn, &m.TLS, orElse(t.hostname, host))
	}
	return t.talk(ctx, conn, m.UseTLS, m.Conversation, handshake)
}
