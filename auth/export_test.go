package auth

// Costliest is the hash that an unknown user's password is compared with.
func Costliest(hashes map[string]string) string { return costliest(hashes) }
