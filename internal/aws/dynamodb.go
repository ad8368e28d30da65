package aws

import "context"

// itemLimit bounds an answer with one item of 400 KB as JSON, in bytes.
const itemLimit = 4 << 20

// DynamoDB reads and writes single items.
type DynamoDB struct{ client }

// DynamoDB returns the region's DynamoDB.
func (s *Session) DynamoDB() *DynamoDB { return &DynamoDB{s.client("dynamodb")} }

// Value is an attribute's value, of the type whose field is not nil. Values of
// other types are read as the zero Value.
type Value struct {
	S *string `json:"S,omitzero"` // a string
	N *string `json:"N,omitzero"` // a number, in decimal
	B []byte  `json:"B,omitzero"` // bytes
}

// Item is an item, or its key, by attribute.
type Item map[string]Value

// String returns a string as a value.
func String(s string) Value { return Value{S: &s} }

// Binary returns bytes as a value; none are a value too.
func Binary(b []byte) Value {
	if b == nil {
		b = []byte{}
	}
	return Value{B: b}
}

// Text returns a string's or a number's text, "" for other values.
func (v Value) Text() string {
	switch {
	case v.S != nil:
		return *v.S
	case v.N != nil:
		return *v.N
	}
	return ""
}

// Condition is what must hold for a write, else [ErrPrecondition], as
// DynamoDB's ConditionExpression has it: names begin with '#', values with ':'.
type Condition struct {
	Expression string
	Names      map[string]string
	Values     Item
}

// table is the part that all requests about items have.
type table struct {
	TableName                 string
	ConditionExpression       string            `json:",omitempty"`
	ExpressionAttributeNames  map[string]string `json:",omitempty"`
	ExpressionAttributeValues Item              `json:",omitempty"`
}

func (c Condition) of(name string) table {
	return table{name, c.Expression, c.Names, c.Values}
}

func (d *DynamoDB) call(ctx context.Context, op, resource string, in, out any) error {
	return d.json(ctx, jsonCall{target: "DynamoDB_20120810", op: op, resource: resource, in: in, out: out, limit: itemLimit})
}

// GetItem returns an item as the last write left it, nil if there is none.
func (d *DynamoDB) GetItem(ctx context.Context, name string, key Item) (Item, error) {
	var out struct{ Item Item }
	err := d.call(ctx, "GetItem", name, struct {
		TableName      string
		Key            Item
		ConsistentRead bool
	}{name, key, true}, &out)
	return out.Item, err
}

// PutItem writes an item in place of the one with its key.
func (d *DynamoDB) PutItem(ctx context.Context, name string, item Item, c Condition) error {
	return d.call(ctx, "PutItem", name, struct {
		table
		Item Item
	}{c.of(name), item}, nil)
}

// UpdateItem changes an item, which need not be there, by an UpdateExpression
// with the condition's names and values, and returns it as it is then.
func (d *DynamoDB) UpdateItem(ctx context.Context, name string, key Item, update string, c Condition) (Item, error) {
	var out struct{ Attributes Item }
	err := d.call(ctx, "UpdateItem", name, struct {
		table
		Key              Item
		UpdateExpression string
		ReturnValues     string
	}{c.of(name), key, update, "ALL_NEW"}, &out)
	return out.Attributes, err
}

// DeleteItem deletes an item. Without a condition there need be none.
func (d *DynamoDB) DeleteItem(ctx context.Context, name string, key Item, c Condition) error {
	return d.call(ctx, "DeleteItem", name, struct {
		table
		Key Item
	}{c.of(name), key}, nil)
}

// CreateTable makes a table, paid by request, whose key is one string, for
// tests and trials. It can be used once [DynamoDB.TableStatus] is ACTIVE.
func (d *DynamoDB) CreateTable(ctx context.Context, name, key string) error {
	return d.call(ctx, "CreateTable", name, map[string]any{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST",
		"AttributeDefinitions": []map[string]string{{"AttributeName": key, "AttributeType": "S"}},
		"KeySchema":            []map[string]string{{"AttributeName": key, "KeyType": "HASH"}},
	}, nil)
}

// TableStatus returns a table's status: CREATING, ACTIVE, and so on.
func (d *DynamoDB) TableStatus(ctx context.Context, name string) (string, error) {
	var out struct{ Table struct{ TableStatus string } }
	err := d.call(ctx, "DescribeTable", name, map[string]string{"TableName": name}, &out)
	return out.Table.TableStatus, err
}
