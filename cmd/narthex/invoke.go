package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"narthex"
	"narthex/function"
)

const invokeHelp = `usage: narthex invoke [flags] EVENT.json

Answers an event in this process as the Lambda function does, by the same
configuration, and prints the answer; what was done stands in the log, on
standard error. EVENT.json is what AWS hands a function: a request of a function
URL, of API Gateway or of a load balancer, a batch of SQS, a notification of S3, a
message of CloudWatch Logs, a schedule, or {"narthex": "tick"}; - reads it from
standard input. The effects are real: totals change, samples are written.

  --config FILE     the configuration: a path, s3://bucket/key, ssm:/name,
                    secretsmanager:name, or the YAML itself. Without it the
                    environment's NARTHEX_CONFIG, NARTHEX_STATE and so on hold, as
                    in the function (docs/serverless.md)
  --timeout TIME    the function's timeout (default 1m)
  --log-format FORMAT
                    text or json (default text)
  --debug           log more

Exit codes: 0 it is answered, 1 it failed, in part or whole, 2 wrong flags or
configuration, 3 it was refused: sending it again won't help, 4 it could not be
taken now: try again.
`

// invoke answers one event.
func invoke(ctx context.Context, args []string, t terminal) error {
	f := flags("invoke", t)
	config := f.String("config", "", "")
	timeout := f.Duration("timeout", time.Minute, "")
	format := f.String("log-format", "text", "")
	debug := f.Bool("debug", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return usageError("it takes one event: a file, or - for standard input")
	}
	if *timeout <= 0 {
		return usageError("--timeout is %s: want a time such as 30s", *timeout)
	}
	log, err := logger(t.err, *format, level(*debug, 0))
	if err != nil {
		return err
	}
	event, err := readEvent(f.Arg(0), t.in)
	if err != nil {
		return err
	}
	fn := function.New(function.Options{Config: *config, Getenv: os.Getenv, Version: version(), Logger: log})
	ctx, stop := context.WithTimeout(ctx, *timeout)
	defer stop()
	if err := fn.Prepare(ctx); narthex.KindOf(err) == narthex.Unavailable {
		return &exitError{exitUnavailable, err}
	} else if err != nil {
		return &exitError{exitUsage, err}
	}
	answer, err := fn.Invoke(ctx, event)
	if err != nil {
		return invokeError(err)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, answer, "", "  ") != nil {
		pretty.Write(answer)
	}
	if _, err := fmt.Fprintln(t.out, pretty.String()); err != nil {
		return err
	}
	return verdict(answer)
}

// maxEvent is how large an event may be, in bytes; Lambda's own bound is 6 MB.
const maxEvent = 16 << 20

func readEvent(path string, in io.Reader) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, usageError("read the event: %v", err)
		}
		defer f.Close()
		in = f
	}
	event, err := io.ReadAll(io.LimitReader(in, maxEvent+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the event: %w", err)
	case len(event) > maxEvent:
		return nil, usageError("the event is larger than %d bytes, and Lambda takes no more than 6 MB", maxEvent)
	}
	return event, nil
}

// invokeError is what Lambda would be told, with the exit code that fits.
func invokeError(err error) error {
	switch {
	case narthex.IsRejected(err):
		return &exitError{exitRejected, err}
	case narthex.KindOf(err) == narthex.Unavailable:
		return &exitError{exitUnavailable, err}
	}
	return err
}

// verdict is an error if the answer says that something went wrong.
func verdict(answer []byte) error {
	var a struct {
		Status   int   `json:"statusCode"`
		Failures []any `json:"batchItemFailures"`
	}
	_ = json.Unmarshal(answer, &a) // an answer of another form says nothing of it
	switch {
	case len(a.Failures) > 0:
		return fmt.Errorf("%d messages are not dealt with; the log has the reasons", len(a.Failures))
	case a.Status == 429 || a.Status >= 502:
		return &exitError{exitUnavailable, fmt.Errorf("the answer is %d", a.Status)}
	case a.Status >= 500:
		return fmt.Errorf("the answer is %d", a.Status)
	case a.Status >= 400:
		return &exitError{exitRejected, errors.New("the request was refused")}
	}
	return nil
}
