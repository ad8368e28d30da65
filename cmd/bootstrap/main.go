// Bootstrap is narthex as a function on AWS Lambda (runtime provided.al2023).
//
// So far it has one role, the push door in front of another narthex:
//
//	POST /api/v1/push  is checked here and acknowledged once the other has done so
//	GET  /-/healthy    answers 200
//
// It is reached through a function URL or an API Gateway HTTP API, which does
// the authentication (AWS_IAM). The environment says the rest:
//
//	NARTHEX_URL                     where the other narthex is, such as https://narthex.example
//	NARTHEX_UPSTREAM_AUTHORIZATION  sent to it as the header Authorization, if set
//
// A push keeps its id and its bytes on the way, so that a retry is recognised
// whichever instance of the function it meets.
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
	awslambda.Start(&lambda.Function{
		HTTP:      routes(getenv, logger),
		RequestID: requestID,
		Logger:    logger,
	})
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
