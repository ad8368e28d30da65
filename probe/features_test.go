package probe_test

import (
	"crypto/tls"
	"net/netip"

	"narthex/probe"
	"narthex/probe/cel"
	"narthex/probe/http3"
	"narthex/probe/icmp"
)

// everything returns the features of the narthex program.
func everything() probe.Features {
	return probe.Features{
		CEL:   func(e string) (probe.CELProgram, error) { return cel.Compile(e) },
		HTTP3: func(c *tls.Config, dial probe.HTTP3Dial) probe.HTTP3Transport { return http3.New(c, dial) },
		ICMP:  openICMP,
		Unix:  true,
	}
}

func openICMP(to, from netip.Addr, ttl int, whole bool) (probe.ICMPSocket, error) {
	return icmp.Open(to, from, ttl, whole)
}
