package probe

import (
	"context"
)

func probeHTTP(ctx context.Context, t *trial) error {
	return failed(PhaseInternal, ReasonOther, "not yet")
}
