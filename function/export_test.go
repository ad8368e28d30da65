package function

// Covers reports whether an address is below a source's from.
func Covers(from, address string) bool { return covers(from, address) }
