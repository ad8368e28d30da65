package probe

import (
	"time"

	"narthex"
)

// Target is one that is probed on a schedule.
type Target struct {
	// Name says which one it is, in labels and in rules.
	Name string
	// Target, Module and Hostname are those of a [Request].
	Target, Module, Hostname string
	// Every is how often, Timeout how long a probe may take.
	Every, Timeout time.Duration
	// Labels are added to all series.
	Labels narthex.Labels
}
