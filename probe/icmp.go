package probe

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"time"
)

const (
	// icmpText is the payload unless its size is given, as long as the exporter's.
	icmpText = "narthex: is anybody there? ."
	// icmpPatience is how long a reply is waited for at least after the last of
	// several requests, once one has come; twice the longest time so far, if that is
	// more. The exporter waits for its only reply as long as it may, and so do we.
	icmpPatience = time.Second
)

// probeICMP sends echo requests. One reply is a success; how many were lost is
// for an alert to judge.
func probeICMP(ctx context.Context, t *trial) error {
	m := &t.module.ICMP
	seconds := t.gauge("probe_icmp_duration_seconds", "Duration of icmp request by phase", "phase")
	for _, phase := range []string{"resolve", "setup", "rtt"} {
		seconds.With(phase)
	}
	begun := time.Now()
	to, from, err := t.endpoint(ctx, t.target, "0", m.IP, m.SourceAddress)
	seconds.With("resolve").Add(time.Since(begun).Seconds())
	if err == nil {
		err = t.net.permit(to)
	}
	if err != nil {
		return err
	}
	begun = time.Now()
	socket, err := openICMP(ctx, t.prober.o.Features.ICMP, to.Addr(), from, m)
	if err != nil {
		return err
	}
	defer socket.Close()
	p := newPings(socket, to.Addr(), max(m.Packets, 1), m.PayloadSize)
	seconds.With("setup").Add(time.Since(begun).Seconds())
	t.log.Debug("Sending echo requests", "to", to.Addr().String(), "packets", len(p.sent), "privileged", socket.Privileged())
	err = p.run(ctx, m.Interval)
	p.report(t, seconds)
	return err
}

// openICMP opens a socket, and says of one that can't be had what is to be done.
func openICMP(ctx context.Context, open func(to, from netip.Addr, ttl int, whole bool) (ICMPSocket, error), to, from netip.Addr, m *ICMPModule) (ICMPSocket, error) {
	socket, err := open(to, from, m.TTL, m.DontFragment)
	if err == nil {
		return socket, nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, failed(PhasePolicy, ReasonUnsupported, "open a socket for ICMP: %w", err)
	}
	if reason := reasonOf(ctx, err); reason != ReasonPermission {
		return nil, failed(PhaseConnect, reason, "open a socket for ICMP: %w", err)
	}
	return nil, failed(PhasePolicy, ReasonPermission, "open a socket for ICMP: %w: give this program CAP_NET_RAW, or its group a place in net.ipv4.ping_group_range", err)
}

// report sets the metrics. Those beyond the exporter's, whose names are those of
// Grafana's synthetic monitoring agent, are for several packets.
func (p *pings) report(t *trial, seconds *gauge) {
	sent, received := 0, 0
	least, most, sum, squares := math.Inf(1), 0., 0., 0.
	for i := range p.sent {
		if !p.sent[i].IsZero() {
			sent++
		}
		if p.rtt[i] <= 0 {
			continue
		}
		received++
		s := p.rtt[i].Seconds()
		least, most, sum, squares = min(least, s), max(most, s), sum+s, squares+s*s
	}
	if received > 0 {
		seconds.With("rtt").Add(sum / float64(received))
		if p.hopLimit >= 0 {
			t.gauge("probe_icmp_reply_hop_limit", "Replied packet hop limit (TTL for ipv4)").Set(float64(p.hopLimit))
		}
	}
	if len(p.sent) == 1 {
		return
	}
	t.gauge("probe_icmp_packets_sent_count", "Number of ICMP packets sent").Set(float64(sent))
	t.gauge("probe_icmp_packets_received_count", "Number of ICMP packets received").Set(float64(received))
	if received == 0 {
		return
	}
	mean := sum / float64(received)
	t.gauge("probe_icmp_duration_rtt_min_seconds", "Minimum duration of round trip").Set(least)
	t.gauge("probe_icmp_duration_rtt_max_seconds", "Maximum duration of round trip").Set(most)
	t.gauge("probe_icmp_duration_rtt_stddev_seconds", "Standard deviation of the duration of round trips").Set(math.Sqrt(max(squares/float64(received)-mean*mean, 0)))
}
