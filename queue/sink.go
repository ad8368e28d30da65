package queue

import (
	"context"

	"narthex"
	"narthex/internal/aws"
	"narthex/ledger"
)

// Sender sends messages to a queue by its URL; [aws.SQS] is one. A nil error
// means that the message is durable.
type Sender interface {
	SendMessage(ctx context.Context, queue string, m aws.SendMessage) (id string, err error)
}

// Sink is a [narthex.Sink] whose batches go to a queue. They are marked Queued:
// whether one is a duplicate and what the ledger rejects of it is found out when
// it is folded.
type Sink struct {
	SQS Sender
	URL string // the queue's
	// Bodies takes what is too large for a message. Nil means that it is refused.
	Bodies *Bodies
	// Direct takes what must not be overtaken, as messages may be: pushes of
	// groups, of which the last one stays, and the totals of sources, of which one
	// that falls is a new beginning. Nil means that those can't be taken.
	Direct narthex.Sink
}

// Write sends the batch and returns nil once SQS has it.
func (s *Sink) Write(ctx context.Context, b *narthex.Batch) error {
	if b.Group != nil || b.Cumulative != "" {
		if s.Direct == nil {
			return narthex.Errorf(narthex.Unavailable, "pushes of a group, and totals of a source, may not overtake each other, and on a queue they do: push increments, or have this function told where the totals are, so that it can fold them at once")
		}
		return s.Direct.Write(ctx, b)
	}
	e, err := ledger.NewEntry(b)
	if err != nil {
		return err
	}
	packed := pack(e)
	body := message(packed)
	if len(body) > maxMessage {
		if s.Bodies == nil {
			return narthex.Errorf(narthex.TooLarge, "the push takes %d bytes as a message, and SQS takes %d: send it in parts, each with an id of its own", len(body), maxMessage)
		}
		if body, err = s.Bodies.put(ctx, e.ID, packed); err != nil {
			return narthex.Errorf(narthex.Unavailable, "the push is not queued, send it again with the same id: %w", err)
		}
	}
	if _, err := s.SQS.SendMessage(ctx, s.URL, aws.SendMessage{Body: body}); err != nil {
		return narthex.Errorf(narthex.Unavailable, "the push is not queued, send it again with the same id: %w", err)
	}
	b.Queued = true
	return nil
}
