// Emptyfunction is a Lambda function that does nothing: the floor that others are
// measured from.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context, map[string]any) (map[string]any, error) {
		return map[string]any{"statusCode": 200, "body": "probe_success 1\nprobe_duration_seconds 0\n"}, nil
	})
}
