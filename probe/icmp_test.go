package probe_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"narthex/probe"
)

// mayPing reports whether this process may open a socket for ICMP: a raw one, or
// one of those for which net.ipv4.ping_group_range lets it in.
func mayPing(t *testing.T) bool {
	t.Helper()
	if c, err := net.ListenPacket("ip4:icmp", "127.0.0.1"); err == nil {
		c.Close()
		return true
	} else if !errors.Is(err, os.ErrPermission) {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, syscall.IPPROTO_ICMP)
	if err == nil {
		syscall.Close(fd)
	}
	return err == nil
}

// TestICMP pings this machine. Where that is forbidden, the probe has to say so.
func TestICMP(t *testing.T) {
	allowed := mayPing(t)
	for name, c := range map[string]struct {
		set  func(*probe.ICMPModule)
		want string
	}{
		"defaults":          {func(*probe.ICMPModule) {}, "ok"},
		"a large payload":   {func(m *probe.ICMPModule) { m.PayloadSize = 20_000 }, "ok"},
		"a tiny payload":    {func(m *probe.ICMPModule) { m.PayloadSize = 3 }, "ok"},
		"don't fragment":    {func(m *probe.ICMPModule) { m.DontFragment = true }, "ok"},
		"ttl":               {func(m *probe.ICMPModule) { m.TTL = 1 }, "ok"},
		"source address":    {func(m *probe.ICMPModule) { m.SourceAddress = "127.0.0.1" }, "ok"},
		"bad source":        {func(m *probe.ICMPModule) { m.SourceAddress = "here" }, "policy/other"},
		"too large, whole":  {func(m *probe.ICMPModule) { m.PayloadSize, m.DontFragment = 65_600, true }, "request/other"},
		"another's version": {func(m *probe.ICMPModule) { m.IP = probe.IP{Protocol: "ip6"} }, "dns/no_address"},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.want
			if !allowed && (want == "ok" || strings.HasPrefix(want, "request")) {
				want = "policy/permission"
			}
			if runtime.GOOS != "linux" && strings.Contains(name, "whole") {
				want = "policy/unsupported"
			}
			r := runWithin(t, moduleOf("icmp", func(m *probe.Module) { c.set(&m.ICMP) }), "127.0.0.1", 2*time.Second)
			wantVerdict(t, r, want)
			if want != "ok" {
				return
			}
			for _, phase := range []string{"resolve", "setup", "rtt"} {
				line := exposed(t, r, `probe_icmp_duration_seconds{phase="`+phase+`"}`)
				if line == "" || strings.HasSuffix(line, " 0\n") {
					t.Errorf("the time of %s is not told: %q", phase, line)
				}
			}
			if exposed(t, r, "probe_icmp_reply_hop_limit ") == "" {
				t.Error("the hop limit of the reply is not told")
			}
			if got := exposed(t, r, "probe_icmp_packets"); got != "" {
				t.Errorf("one packet has the metrics of several: %s", got)
			}
		})
	}
}

func TestICMPPackets(t *testing.T) {
	m := moduleOf("icmp", func(m *probe.Module) { m.ICMP.Packets, m.ICMP.Interval = 5, 5*time.Millisecond })
	r := runModule(t, m, "127.0.0.1")
	if !mayPing(t) {
		wantVerdict(t, r, "policy/permission")
		return
	}
	wantVerdict(t, r, "ok")
	wantMetrics(t, r, "probe_icmp_packets_sent_count 5", "probe_icmp_packets_received_count 5")
	for _, name := range []string{"min", "max", "stddev"} {
		if exposed(t, r, "probe_icmp_duration_rtt_"+name+"_seconds ") == "" {
			t.Errorf("there is no %s", name)
		}
	}
	if r.Duration < 20*time.Millisecond {
		t.Errorf("five packets 5 ms apart take %v", r.Duration)
	}
}

// TestICMPConcurrent has many probes of one target at the same time: each has to
// find its own reply.
func TestICMPConcurrent(t *testing.T) {
	want := "ok"
	if !mayPing(t) {
		want = "policy/permission"
	}
	for range 20 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			m := moduleOf("icmp", func(m *probe.Module) { m.ICMP.Packets, m.ICMP.Interval = 3, time.Millisecond })
			wantVerdict(t, runModule(t, m, "127.0.0.1"), want)
		})
	}
}

// TestICMPOverIPv6 is for machines that have it.
func TestICMPOverIPv6(t *testing.T) {
	want := "ok"
	c, err := net.ListenPacket("udp6", "[::1]:0")
	switch {
	case err != nil:
		want = "other" // the machine has no IPv6: any failure but none at all
	case !mayPing(t):
		want = "policy/permission"
	}
	if err == nil {
		c.Close()
	}
	r := runWithin(t, moduleOf("icmp", func(m *probe.Module) { m.ICMP.Packets, m.ICMP.Interval = 2, time.Millisecond }), "::1", time.Second)
	if want == "other" {
		if r.Success {
			t.Error("::1 answers on a machine without IPv6")
		}
		return
	}
	wantVerdict(t, r, want)
}

// TestICMPWithoutPrivileges runs this test's program in a network namespace whose
// ping_group_range lets it in, and once more in one that does not, as a user that
// may open no raw sockets.
func TestICMPWithoutPrivileges(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "unshare", "-n", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Logf("this machine makes no network namespaces (%v: %s): TestICMP alone says what an unprivileged program sees", err, out)
		return
	}
	for group, want := range map[string]string{"0 2147483647": "ok", "1 0": "policy/permission"} {
		script := `ip link set lo up && echo "$1" > /proc/sys/net/ipv4/ping_group_range && exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$2" -test.run 'TestICMPUnprivilegedChild$' -test.v`
		cmd := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", script, "sh", group, os.Args[0])
		cmd.Env = append(os.Environ(), "NARTHEX_TEST_PING="+want)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestICMPUnprivilegedChild") {
			t.Errorf("with ping_group_range %q: %v\n%s", group, err, out)
		}
	}
}

// TestICMPUnprivilegedChild is what TestICMPWithoutPrivileges runs.
func TestICMPUnprivilegedChild(t *testing.T) {
	want := os.Getenv("NARTHEX_TEST_PING")
	if want == "" {
		want = "ok"
		if !mayPing(t) {
			want = "policy/permission"
		}
	}
	m := moduleOf("icmp", func(m *probe.Module) {
		m.ICMP.DontFragment, m.ICMP.Packets, m.ICMP.Interval = true, 2, time.Millisecond
	})
	wantVerdict(t, runModule(t, m, "127.0.0.1"), want)
}
