// Package start begins a program that runs on AWS Lambda (runtime
// provided.al2023): it reads the arguments, makes the log, bounds the memory and
// hands invocations to the program's handler by AWS's own client of the Runtime
// API. What the events mean is package lambda's business.
package start

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

// Process is what a program is given on Lambda.
type Process struct {
	Getenv    func(string) string
	Logger    *slog.Logger                     // writes JSON
	RequestID func(ctx context.Context) string // of an invocation, "" outside one
	Version   string
}

// Main runs the program of a name, and ends the process if it can't. handler is
// called once, within Lambda's initialisation of ten seconds, and what it returns
// answers each invocation.
func Main(name string, handler func(Process) awslambda.Handler) {
	if err := run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr, handler); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// run returns only if it does not answer invocations.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer, handler func(Process) awslambda.Handler) error {
	if len(args) == 1 && args[0] == "-version" {
		_, err := fmt.Fprintln(stdout, "narthex", version())
		return err
	}
	if len(args) > 0 {
		return fmt.Errorf("the argument %q is not known: it takes -version or none", args[0])
	}
	if getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return errors.New("AWS_LAMBDA_RUNTIME_API is not set: this program runs on AWS Lambda, with the runtime provided.al2023; narthex serve does the same on a machine")
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	slog.SetDefault(logger) // so that what the runtime client logs is JSON too
	limitMemory(getenv)
	awslambda.Start(handler(Process{Getenv: getenv, Logger: logger, RequestID: requestID, Version: version()}))
	return nil
}

// limitMemory keeps the collector from letting the heap grow beyond what the
// function has: past it Lambda ends the process. A quarter is for the program
// itself, its stacks and the kernel.
func limitMemory(getenv func(string) string) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(lambda.Memory(getenv)) / 4 * 3)
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
