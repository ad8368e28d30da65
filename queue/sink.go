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
}

// Write sends the batch and returns nil once SQS has it.
func (s *Sink) Write(ctx context.Context, b *narthex.Batch) error {
	e, err := ledger.NewEntry(b)
	if err != nil {
		return err
	}
	body := encode(e)
	if len(body) > maxMessage {
		return narthex.Errorf(narthex.TooLarge, "the push takes %d bytes as a message, and SQS takes %d: send it in parts, each with an id of its own", len(body), maxMessage)
	}
	if _, err := s.SQS.SendMessage(ctx, s.URL, aws.SendMessage{Body: body}); err != nil {
		return narthex.Errorf(narthex.Unavailable, "the push is not queued, send it again with the same id: %w", err)
	}
	b.Queued = true
	return nil
}
