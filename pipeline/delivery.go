package pipeline

import "context"

// delivery is what a sender sends, and repeats, as a whole: a request.
type delivery struct {
	begun bool // a batch of it was within the rates
}

type deliveryKey struct{}

// Delivery returns a context for the batches of one delivery, which are written
// one after the other. A [Limiter] holds only the first of them against rates and
// lets the others owe what they take: a delivery that is sent again as a whole
// would take the same tokens for its beginning each time, and never come to its
// end. Without it each batch is a delivery.
func Delivery(ctx context.Context) context.Context {
	return context.WithValue(ctx, deliveryKey{}, new(delivery))
}

func deliveryOf(ctx context.Context) *delivery {
	if d, ok := ctx.Value(deliveryKey{}).(*delivery); ok {
		return d
	}
	return new(delivery)
}
