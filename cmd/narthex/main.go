// Command narthex is Prometheus for code that has no server to scrape: it takes
// pushes, adds them up exactly once, and answers PromQL.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // it was tried and did not work
	exitUsage       = 2 // the command line or the configuration is wrong
	exitRejected    = 3 // a push was refused, in part or whole: sending it again won't help
	exitUnavailable = 4 // nobody answered in time: try again
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// command is one of the program's jobs.
type command struct {
	name, short string
	run         func(ctx context.Context, args []string, t terminal) error
}

func commands() []command {
	return []command{
		{"serve", "take pushes, keep them, answer queries, show them", serve},
		{"agent", "scrape targets and take pushes, and send all by remote write", agent},
		{"push", "send counters, gauges, observations and files from a shell", pushCommand},
		{"probe", "look at a target from outside, and say what is wrong with it", probeCommand},
		{"logs", "make metrics of access logs, or try what they would be", logsCommand},
		{"ledger", "look into totals, correct them, back them up", ledgerCommand},
		{"lambda", "run the Lambda function on this machine, without an account", lambdaCommand},
		{"verify", "find out what a remote-write backend can do", verifyCommand},
		{"viewer", "print what AWS needs to know for the viewer", viewerCommand},
		{"token", "make a bearer token for the configuration", tokenCommand},
		{"invoke", "answer an event as the Lambda function does", invoke},
		{"cost", "say what narthex costs a month on AWS, and what would save most", costCommand},
		{"check", "say what a configuration means, or what is wrong with it", check},
		{"version", "print the version", func(_ context.Context, args []string, t terminal) error {
			if len(args) > 0 {
				return usageError("it takes no arguments, but got %q", args[0])
			}
			fmt.Fprintln(t.out, "narthex", version())
			return nil
		}},
	}
}

// exitError is an error with the code to exit with. Without err there is nothing to
// be said that was not printed before.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// run runs the command that args name and returns the exit code.
func run(ctx context.Context, args []string, t terminal) int {
	if len(args) == 0 {
		help(t.err, "")
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		topic := ""
		if len(rest) > 0 {
			topic = rest[0]
		}
		return help(t.out, topic)
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return exitCode(c.run(ctx, rest, t), c.name, plain{t.err})
		}
	}
	fmt.Fprintf(t.err, "narthex: there is no command %q; narthex help lists them\n", name)
	return exitUsage
}

func exitCode(err error, name string, w io.Writer) int {
	var coded *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &coded) && coded.err == nil:
		return coded.code
	case errors.As(err, &coded):
		fmt.Fprintf(w, "narthex %s: %v\n", name, err)
		return coded.code
	}
	fmt.Fprintf(w, "narthex %s: %v\n", name, err)
	return exitFailed
}

// flags returns a flag set whose help is the command's.
func flags(name string, t terminal) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() { help(t.out, name) }
	return f
}

// parse reads the command line. Only who asks for the help gets it: below a page of it
// nobody finds what is wrong with a flag.
func parse(f *flag.FlagSet, args []string) error {
	usage := f.Usage
	f.Usage = func() {}
	defer func() { f.Usage = usage }()
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage()
	case err != nil:
		return usageError("%v; narthex help %s tells its flags", err, f.Name())
	}
	return err
}

// parseAddress reads the address that a flag gives. The error does not have its text,
// in which there may be a password.
func parseAddress(flag, address, example string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usageError("%s is no address such as %s", flag, example)
	}
	return u, nil
}

// narthexAddress is what an address of a narthex looks like.
const narthexAddress = "http://127.0.0.1:9091"

// version is what the build knows of its source.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}
