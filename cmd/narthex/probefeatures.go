package main

import (
	"crypto/tls"
	"net/netip"

	"narthex/probe"
	"narthex/probe/cel"
	"narthex/probe/http3"
	"narthex/probe/icmp"
)

// probeFeatures is what this program's probes can do that the Lambda function's
// can't.
func probeFeatures() probe.Features {
	return probe.Features{
		Unix: true,
		ICMP: func(to, from netip.Addr, ttl int, whole bool) (probe.ICMPSocket, error) {
			return icmp.Open(to, from, ttl, whole)
		},
		CEL:   func(expression string) (probe.CELProgram, error) { return cel.Compile(expression) },
		HTTP3: func(c *tls.Config, dial probe.HTTP3Dial) probe.HTTP3Transport { return http3.New(c, dial) },
	}
}
