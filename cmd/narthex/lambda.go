package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"narthex/app"
	"narthex/lambda/emulator"
)

const lambdaHelp = `usage: narthex lambda [BOOTSTRAP|ZIP] [flags]

Runs the Lambda function on this machine as AWS would, without an account: the
real bootstrap under a small emulator of Lambda, with an HTTP front, a queue, a
schedule, and narthex serve as the store of the samples. Push to it, watch what
each invocation takes, and see the samples in a browser:

  narthex lambda                        # http://127.0.0.1:9092
  curl -d '{"counters":[{"name":"hello_total","add":1}]}' http://127.0.0.1:9092/api/v1/push

BOOTSTRAP is the program, ZIP what make dist makes, both for this machine's
processor. Without either it is dist/bootstrap-ARCH.zip, or it is built, if this
is narthex's source.

  --front KIND        what stands before the function: url (a function URL, the
                      default), http-api or rest (API Gateway), alb (a load balancer)
  --listen HOST:PORT  where it listens (default 127.0.0.1:9092)
  --config FILE       the function's configuration
  --env KEY=VALUE     a variable for the function; may be given several times
  --mode MODE         queue (the default) or direct: pushes are counted at once
  --tick D            how often the schedule comes (default 15s)
  --memory MB         the function's memory (default 512)
  --timeout D         the function's timeout (default 30s)
  --concurrency N     how many instances there may be (default 10)
  --throttle          ration processor and memory as Lambda does; needs control
                      groups, so Linux and root
  --caller ARN        who AWS_IAM says has sent each request (default that of a
                      user named laptop); empty for an open front
  --remote-write URL  where samples go instead of a store of its own
  --store HOST:PORT   where that store, a narthex serve, listens (default
                      127.0.0.1:9091)
  --data DIR          where totals and samples are (default ./narthex-lambda)
  --logs              show all that the function writes, not its warnings only

Any event goes to the function by Lambda's own API:

  curl -d '{"narthex":"tick"}' http://127.0.0.1:9092/2015-03-31/functions/function/invocations

It stops on SIGTERM or Ctrl-C, once what is queued is folded; the next start goes
on with the same totals. The queue is in memory: a kill loses what is in it.

Exit codes: 0 stopped when asked, 1 failed, 2 wrong flags.
`

// lambdaFlags are the command line of narthex lambda.
type lambdaFlags struct {
	code                  string
	front                 emulator.Front
	listen, store, data   string
	config, mode, caller  string
	remoteWrite           string
	env                   []string
	tick, timeout         time.Duration
	memory, concurrency   int
	throttle, logs, local bool
}

// lambdaCommand runs the function under the emulator.
func lambdaCommand(ctx context.Context, args []string, t terminal) error {
	l, err := lambdaLine(args, t)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if l.code == "" {
		if l.code, err = findBootstrap(ctx, l.data, t.out); err != nil {
			return err
		}
	}
	return l.run(ctx, t)
}

// lambdaLine reads the command line.
func lambdaLine(args []string, t terminal) (*lambdaFlags, error) {
	f, l := flags("lambda", t), new(lambdaFlags)
	front := f.String("front", "url", "")
	f.StringVar(&l.listen, "listen", "127.0.0.1:9092", "")
	f.StringVar(&l.store, "store", "127.0.0.1:9091", "")
	f.StringVar(&l.data, "data", "narthex-lambda", "")
	f.StringVar(&l.config, "config", "", "")
	f.StringVar(&l.mode, "mode", "queue", "")
	f.StringVar(&l.caller, "caller", "arn:aws:iam::"+emulator.Account+":user/laptop", "")
	f.StringVar(&l.remoteWrite, "remote-write", "", "")
	f.Func("env", "", func(s string) error {
		if name, _, ok := strings.Cut(s, "="); !ok || name == "" {
			return fmt.Errorf("want KEY=VALUE")
		}
		l.env = append(l.env, s)
		return nil
	})
	f.DurationVar(&l.tick, "tick", 15*time.Second, "")
	f.DurationVar(&l.timeout, "timeout", 30*time.Second, "")
	f.IntVar(&l.memory, "memory", 512, "")
	f.IntVar(&l.concurrency, "concurrency", 10, "")
	f.BoolVar(&l.throttle, "throttle", false, "")
	f.BoolVar(&l.logs, "logs", false, "")
	if err := parse(f, args); err != nil {
		return nil, err
	}
	// The program may come first, before the flags.
	if l.code = f.Arg(0); f.NArg() > 1 {
		if err := parse(f, f.Args()[1:]); err != nil {
			return nil, err
		}
		if f.NArg() > 0 {
			return nil, usageError("it takes one program, but got %q too", f.Arg(0))
		}
	}
	kind := slices.Index(emulator.FrontKinds(), *front)
	l.front = emulator.Front{Kind: emulator.FrontKind(kind), MultiValue: true, BinaryTypes: []string{"*/*"}}
	switch {
	case kind < 0:
		return nil, usageError("--front is %q: want %s", *front, strings.Join(emulator.FrontKinds(), ", "))
	case l.mode != "queue" && l.mode != "direct":
		return nil, usageError("--mode is %q: want queue or direct", l.mode)
	case l.tick < time.Second || l.tick > 2*time.Minute: // ledger.heartbeat, which is written at a tick
		return nil, usageError("--tick is %v: want 1s to 2m", l.tick)
	}
	if l.remoteWrite != "" {
		if _, err := parseAddress("--remote-write", l.remoteWrite, "http://127.0.0.1:9091/api/v1/write"); err != nil {
			return nil, err
		}
	}
	for name, address := range map[string]string{"listen": l.listen, "store": l.store} {
		if _, _, err := net.SplitHostPort(address); err != nil || !app.IsLoopback(address) {
			return nil, usageError("--%s is %q: want an address of this machine alone, such as 127.0.0.1:9092; this is for trials", name, address)
		}
	}
	return l, nil
}

// findBootstrap returns the program where none is named.
func findBootstrap(ctx context.Context, data string, out io.Writer) (string, error) {
	packed := filepath.Join("dist", "bootstrap-"+runtime.GOARCH+".zip")
	if _, err := os.Stat(packed); err == nil && runtime.GOOS == "linux" {
		return packed, nil
	}
	if _, err := os.Stat("cmd/bootstrap/main.go"); err != nil {
		return "", usageError("name the function's program: a bootstrap or its zip file for this machine's processor, such as %s, which make dist makes", packed)
	}
	fmt.Fprintln(out, "building ./cmd/bootstrap")
	path, err := filepath.Abs(filepath.Join(data, "bootstrap"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-o", path, "./cmd/bootstrap")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ./cmd/bootstrap: %w\n%s", err, text)
	}
	return path, nil
}
