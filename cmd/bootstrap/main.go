// Bootstrap is narthex as a function on AWS Lambda (runtime provided.al2023).
//
// It has a ledger of its own, in a bucket or a table, or it is the push door in
// front of another narthex. Requests come in through a function URL or an API
// Gateway HTTP API, which does the authentication (AWS_IAM). The environment
// says what a function does.
//
// With a ledger of its own, the same program is three functions, or one:
//
//	pushes (HTTP) are sent to the queue, or counted at once
//	the queue's batches are folded into the totals
//	the command or schedule "tick" writes the totals out by remote write
//
//	NARTHEX_STATE             where the totals are: s3://bucket/prefix or dynamodb://table/prefix
//	NARTHEX_QUEUE             URL of the SQS queue that pushes are sent to
//	NARTHEX_MODE              queue (the default if there is a queue) or direct
//	NARTHEX_GROUPS            how many values a new store spreads the totals over, 1 to 256; default 1
//	NARTHEX_LOGS              access logs that it is told of, as under logs in a configuration, or a file with one
//	NARTHEX_INTERVAL          the distance of ticks, default 1m: how often the schedule comes
//	NARTHEX_REMOTE_WRITE_URL  where samples go
//	NARTHEX_REMOTE_WRITE_SIGV4          region to sign for; an Amazon Managed Prometheus's is known
//	NARTHEX_REMOTE_WRITE_AUTHORIZATION  header Authorization, for others
//
// In front of another narthex it checks POST /api/v1/push, and acknowledges it
// once the other has done so. A push keeps its id and its bytes on the way, so
// that a retry is recognised whichever instance of the function it meets:
//
//	NARTHEX_URL                     where the other narthex is, such as https://narthex.example
//	NARTHEX_UPSTREAM_AUTHORIZATION  sent to it as the header Authorization, if set
//
// Either way GET /-/healthy answers 200. docs/serverless.md has the whole.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"narthex/lambda"
)

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bootstrap:", err)
		os.Exit(1)
	}
}

// run answers Lambda's invocations. It returns only if it can't.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == "-version" {
		_, err := fmt.Fprintln(stdout, "narthex", version())
		return err
	}
	if len(args) > 0 {
		return fmt.Errorf("the argument %q is not known: it takes -version or none", args[0])
	}
	if getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return errors.New("AWS_LAMBDA_RUNTIME_API is not set: this program runs on AWS Lambda, with the runtime provided.al2023")
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	slog.SetDefault(logger) // so that what the runtime client logs is JSON too
	limitMemory(getenv)
	f := &lambda.Function{RequestID: requestID, Logger: logger}
	if own(getenv) {
		newServerless(getenv, logger).setUp(f)
	} else {
		f.HTTP = routes(getenv, logger)
	}
	awslambda.Start(f)
	return nil
}

func requestID(ctx context.Context) string {
	if c, ok := lambdacontext.FromContext(ctx); ok {
		return c.AwsRequestID
	}
	return ""
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
