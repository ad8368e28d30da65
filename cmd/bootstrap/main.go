// Bootstrap is narthex as a function on AWS Lambda (runtime provided.al2023):
// package function, and what speaks to Lambda. docs/serverless.md has the whole.
package main

import (
	"context"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"narthex/function"
	"narthex/lambda/start"
)

func main() { start.Main("bootstrap", open) }

// initTime is how long reading the configuration may take. Lambda gives the
// initialisation ten seconds, and starts it over if it takes longer.
const initTime = 8 * time.Second

func open(p start.Process) awslambda.Handler {
	f := function.New(function.Options{Getenv: p.Getenv, RequestID: p.RequestID, Version: p.Version, Logger: p.Logger})
	ctx, stop := context.WithTimeout(context.Background(), initTime)
	defer stop()
	_ = f.Prepare(ctx) // it has told the log, and tells each invocation
	return f
}
