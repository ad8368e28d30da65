package emulator

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Report says what an invocation took.
type Report struct {
	RequestID string
	Event     []byte // what the function was invoked with
	Answer    []byte // and what it answered, an error included
	Instance  string // its ID
	// Status is success, error (of the handler or of the runtime) or timeout.
	Status    string
	ErrorType string // of what is not a success
	Cold      bool   // the instance was started for it
	// Duration is from the event's delivery until runtime and extensions asked
	// for the next one, Init what the start took before, and Billed what AWS
	// bills: both, in whole milliseconds.
	Duration, Init, Billed time.Duration
	// Response is from the event's delivery until the answer.
	Response time.Duration
	// MemorySize is what the instance may have and MaxMemory the most that its
	// processes had resident so far, in bytes; 0 if the system does not tell.
	MemorySize, MaxMemory int64
	// CPU is the processor time of the invocation, and InitCPU that of the start
	// before it; 0 if the system does not tell. Without a control group (see
	// [Options.CPU]) processes that the runtime starts do not count.
	CPU, InitCPU time.Duration
	// Throttled is how long processes waited for their ration.
	Throttled time.Duration
}

// String is the report as Lambda writes it into the log.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		r.RequestID, millis(r.Duration), r.Billed.Milliseconds(), r.MemorySize>>20, mebi(r.MaxMemory))
	if r.Cold {
		fmt.Fprintf(&b, "Init Duration: %.2f ms\t", millis(r.Init))
	}
	if r.Status != "success" {
		fmt.Fprintf(&b, "Status: %s\t", r.Status)
	}
	if r.Status == "error" && r.ErrorType != "" {
		fmt.Fprintf(&b, "Error Type: %s\t", r.ErrorType)
	}
	return b.String()
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// mebi rounds bytes up to whole MiB.
func mebi(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

// billed returns what is billed: each started millisecond.
func billed(d time.Duration) time.Duration {
	return time.Duration(math.Ceil(millis(d))) * time.Millisecond
}
