// Bootstrap is narthex as a function on AWS Lambda (runtime provided.al2023):
// package function, and what speaks to Lambda. docs/serverless.md has the whole.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"narthex/function"
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
	f := function.New(function.Options{Getenv: getenv, RequestID: requestID, Version: version(), Logger: logger})
	ctx, stop := context.WithTimeout(context.Background(), initTime)
	_ = f.Prepare(ctx) // it has told the log, and tells each invocation
	stop()
	awslambda.Start(f)
	return nil
}

// initTime is how long reading the configuration may take. Lambda gives the
// initialisation ten seconds, and starts it over if it takes longer.
const initTime = 8 * time.Second

// limitMemory keeps the collector from letting the heap grow beyond what the
// function has: past it Lambda ends the process. A quarter is for the program
// itself, its stacks and the kernel.
func limitMemory(getenv func(string) string) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(function.Memory(getenv)) / 4 * 3)
	}
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
