package main

import (
	"crypto/tls"

	"narthex/probe"
	"narthex/probe/cel"
	"narthex/probe/http3"
)

// probeFeatures is what this program's probes can do that the Lambda function's
// can't.
func probeFeatures() probe.Features {
	return probe.Features{
		ICMP: true, Unix: true,
		CEL:   func(expression string) (probe.CELProgram, error) { return cel.Compile(expression) },
		HTTP3: func(c *tls.Config, dial probe.HTTP3Dial) probe.HTTP3Transport { return http3.New(c, dial) },
	}
}
