package main

import "narthex/probe"

// probeFeatures is what this program's probes can do that the Lambda function's
// can't.
func probeFeatures() probe.Features {
	return probe.Features{ICMP: true, Unix: true}
}
