// Package function makes the Lambda function of its settings: which events it
// answers, and with what. cmd/bootstrap runs it on Lambda, narthex invoke on any
// machine.
//
// With a ledger of its own, the same function is three, or one:
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
package function

import (
	"log/slog"

	"narthex/lambda"
)

// Options are what a function is made of.
type Options struct {
	// Getenv gives the environment's variables, as os.Getenv does.
	Getenv func(string) string
	Logger *slog.Logger
}

// New returns the function. Settings that are wrong are told to the log and to
// those who push, who are to try again.
func New(o Options) *lambda.Function {
	f := &lambda.Function{Logger: o.Logger}
	if own(o.Getenv) {
		newServerless(o.Getenv, o.Logger).setUp(f)
	} else {
		f.HTTP = routes(o.Getenv, o.Logger)
	}
	return f
}
