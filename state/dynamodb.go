package state

import (
	"context"
	"errors"
	"fmt"

	"narthex"
	"narthex/internal/aws"
)

const (
	// largestItem is the size of the largest value in DynamoDB, in bytes. The
	// limit of an item is 400 KB with its names and its key ("Quotas in Amazon
	// DynamoDB").
	largestItem = 380 << 10
	// The names of an item's attributes.
	attrKey    = "pk"
	attrNonces = "nonces"
	attrData   = "data"
)

// DynamoDB is a Store in a table whose key is the string "pk": one item a key,
// replaced if the nonce of its last write is still the one that was read. It is
// quicker than S3 and dearer, and takes values up to 380 KB.
//
// The credentials need dynamodb:GetItem and dynamodb:PutItem on the table.
//
// A deleted value leaves an item without data behind: of an item that is gone
// nobody could tell who deleted it when the answer to that was lost.
type DynamoDB struct {
	db            *aws.DynamoDB
	table, prefix string
}

// NewDynamoDB returns the store of the items prefix/key in a table.
func NewDynamoDB(s *aws.Session, table, prefix string) *DynamoDB {
	return &DynamoDB{s.DynamoDB(), table, prefix}
}

// Load implements [Store].
func (d *DynamoDB) Load(ctx context.Context, key string) (Entry, error) {
	name, err := join(d.prefix, key)
	if err != nil {
		return Entry{}, err
	}
	item, err := d.db.GetItem(ctx, d.table, aws.Item{attrKey: aws.String(name)})
	if err != nil {
		return Entry{}, fmt.Errorf("load state: %w", err)
	}
	return saved(item[attrData].B, item[attrNonces].Text()), nil
}

// Save implements [Store].
func (d *DynamoDB) Save(ctx context.Context, key string, prev Entry, data []byte) (Entry, error) {
	name, err := join(d.prefix, key)
	if err != nil {
		return Entry{}, err
	}
	if len(data) > largestItem {
		return Entry{}, narthex.Errorf(narthex.TooLarge, "the state of %s has %d bytes, more than the %d that DynamoDB takes: keep it in S3 (s3://bucket/prefix), or spread the series over more shards", key, len(data), largestItem)
	}
	// A missing item and that of a deleted value both have no data.
	condition := aws.Condition{Expression: "attribute_not_exists(#data)", Names: map[string]string{"#data": attrData}}
	if prev.Version != "" {
		condition = aws.Condition{Expression: "#nonces = :prev", Names: map[string]string{"#nonces": attrNonces}, Values: aws.Item{":prev": aws.String(prev.Version)}}
	} else if data == nil {
		return unmade(d.Load(ctx, key))
	}
	before := history(prev.Version)
	after, nonce := before.next()
	item := aws.Item{attrKey: aws.String(name), attrNonces: aws.String(string(after))}
	if data != nil {
		item[attrData] = aws.Binary(data)
	}
	err = d.db.PutItem(ctx, d.table, item, condition)
	switch {
	case err == nil:
		return saved(data, string(after)), nil
	case !errors.Is(err, aws.ErrPrecondition):
		return Entry{}, fmt.Errorf("save state: %w", err)
	case !repeated(err):
		return Entry{}, ErrConflict
	}
	now, err := d.db.GetItem(ctx, d.table, aws.Item{attrKey: aws.String(name)})
	if err != nil {
		return Entry{}, fmt.Errorf("save state: find out whether a write whose answer was lost has been done: %w", err)
	}
	err = before.repeated(nonce, history(now[attrNonces].Text()))
	switch {
	case err == nil:
		return saved(data, string(after)), nil
	case errors.Is(err, ErrConflict):
		return Entry{}, err
	}
	return Entry{}, fmt.Errorf("save state: %w", err)
}
