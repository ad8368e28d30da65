//go:build !unix

package probe

import "time"

// processTimes returns how much CPU time the process has used: it is not known.
func processTimes() time.Duration { return 0 }
