package probe

import "encoding/binary"

// Types of ICMP messages (RFC 792, RFC 4443).
const (
	echoReply4    = 0
	unreachable4  = 3
	echoRequest4  = 8
	timeExceeded4 = 11

	unreachable6  = 1
	tooBig6       = 2
	timeExceeded6 = 3
	echoRequest6  = 128
	echoReply6    = 129
)

// echo is what an echo request or reply has.
type echo struct {
	id, seq uint16
	payload []byte
}

// appendEcho appends an echo message. The checksum is that of IPv4; the kernel
// computes that of IPv6, which includes the addresses.
func appendEcho(dst []byte, kind byte, id, seq uint16, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, kind, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, id)
	dst = binary.BigEndian.AppendUint16(dst, seq)
	dst = append(dst, payload...)
	if kind == echoRequest4 || kind == echoReply4 {
		binary.BigEndian.PutUint16(dst[start+2:], internetChecksum(dst[start:]))
	}
	return dst
}

// internetChecksum is that of RFC 1071.
func internetChecksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// parseEcho reads an echo message of a type.
func parseEcho(packet []byte, kind byte) (echo, bool) {
	if len(packet) < 8 || packet[0] != kind || packet[1] != 0 {
		return echo{}, false
	}
	return echo{binary.BigEndian.Uint16(packet[4:]), binary.BigEndian.Uint16(packet[6:]), packet[8:]}, true
}

// parseICMPError returns what an error says and the start of the ICMP message that
// it is about, "" and nil if a packet is no error.
func parseICMPError(packet []byte, v6 bool) (what string, original []byte) {
	if len(packet) < 8 {
		return "", nil
	}
	what = icmpErrorText(packet[0], packet[1], v6)
	inner := packet[8:]
	if v6 {
		const header, nextICMP = 40, 58
		if what == "" || len(inner) < header || inner[0]>>4 != 6 || inner[6] != nextICMP {
			return "", nil
		}
		return what, inner[header:]
	}
	const protocolICMP = 1
	if what == "" || len(inner) < 20 || inner[0]>>4 != 4 || inner[9] != protocolICMP {
		return "", nil
	}
	header := int(inner[0]&0xf) * 4
	if header < 20 || len(inner) < header {
		return "", nil
	}
	return what, inner[header:]
}

// icmpErrorText names an error, "" if it is none.
func icmpErrorText(kind, code byte, v6 bool) string {
	if v6 {
		switch kind {
		case unreachable6:
			return "the destination is unreachable"
		case tooBig6:
			return "the packet is too big"
		case timeExceeded6:
			return "the hop limit is used up"
		}
		return ""
	}
	switch {
	case kind == unreachable4 && code == 4:
		return "the packet is too big, and must not be fragmented"
	case kind == unreachable4:
		return "the destination is unreachable"
	case kind == timeExceeded4:
		return "the time to live is used up"
	}
	return ""
}
