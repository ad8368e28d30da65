package probe

import (
	"net/netip"
	"strconv"
	"strings"
)

// numeric reads an address in each spelling that some resolver understands, so that
// they all mean the same here: those of netip, and an IPv4 address as inet_aton reads
// it: one to four parts, each decimal, octal (0…) or hexadecimal (0x…), of which the
// last one fills what is left. A dot at the end does not matter.
func numeric(host string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(host); err == nil { // first: a zone may end in a dot
		return addr.Unmap(), true
	}
	host = strings.TrimSuffix(host, ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap(), true
	}
	if host == "" || host[0] < '0' || host[0] > '9' {
		return netip.Addr{}, false
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, part := range parts {
		width := 8
		if i == len(parts)-1 {
			width = 32 - 8*i
		}
		n, ok := numericPart(part, width)
		if !ok {
			return netip.Addr{}, false
		}
		value |= n << (32 - 8*i - width)
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// numericPart reads a part of an address, of so many bits.
func numericPart(part string, bits int) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(part, "0x"), strings.HasPrefix(part, "0X"):
		part, base = part[2:], 16
	case len(part) > 1 && part[0] == '0':
		part, base = part[1:], 8
	}
	n, err := strconv.ParseUint(part, base, bits)
	return n, err == nil
}
