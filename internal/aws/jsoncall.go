package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// jsonCall is a request in the AWS JSON protocols, 1.0 of SQS and DynamoDB and 1.1
// of SSM and Secrets Manager: the operation in X-Amz-Target, a JSON document each
// way.
type jsonCall struct {
	version              string // "" is 1.0
	target, op, resource string
	in, out              any // out may be nil
	limit                int64
	wait                 time.Duration
}

func (c *client) json(ctx context.Context, j jsonCall) error {
	body, err := json.Marshal(j.in)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.signer.Service, j.op, err)
	}
	a, err := c.do(ctx, call{
		op: j.op, resource: j.resource, method: http.MethodPost, body: body, limit: j.limit, wait: j.wait,
		header: http.Header{"Content-Type": {"application/x-amz-json-" + cmp.Or(j.version, "1.0")}, "X-Amz-Target": {j.target + "." + j.op}},
	})
	if err != nil || j.out == nil {
		return err
	}
	if err := json.Unmarshal(a.body, j.out); err != nil {
		return fmt.Errorf("%s %s %s: read the answer: %w", c.signer.Service, j.op, j.resource, err)
	}
	return nil
}
