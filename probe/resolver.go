package probe

import (
	"context"
	"errors"
	"net/netip"
)

type resolver struct{}

func newResolver(text string) (*resolver, error) { return nil, errors.New("not yet") }

func (r *resolver) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return nil, errors.New("not yet")
}
