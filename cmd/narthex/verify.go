package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/verify"
)

const verifyHelp = `usage: narthex verify URL [flags]

Finds out what a remote-write backend can do, by trying: whether it speaks 2.0, how
late a sample may come, what a refused one does to its neighbours, whether native
histograms, UTF-8 names and exemplars are stored. It prints what it found with the
evidence, and what follows for narthex.yml.

It writes about fifty series named narthex_verify_…{run="…"}, and nothing ahead of
now, unless told that the workspace is empty.

  --query URL           the backend's Prometheus HTTP API, without /api/v1: what was
                        written is read back. Without it the answers alone tell,
                        which some receivers give for what they do not store
  --empty-workspace     nobody else writes there: try samples ahead of now too, which
                        would make those of others too old
  --max-age D           how old samples are tried (default 6h)
  --strategies          then write the same events by each of the ways in which code
                        without a server delivers counts, and compare what PromQL
                        makes of them with the truth (wants --query)
  --header NAME:VALUE   send a header; may be given several times
  --bearer-token-file FILE
                        send this token
  --sigv4 REGION        sign for AWS (Amazon Managed Service for Prometheus), with the
                        credentials of the environment
  --format FORMAT       text or json (default text)
  --timeout D           give up after this long (default 10m)

Exit codes: 0 done, whatever was found; 1 failed, 2 wrong usage or no remote write's
address, 3 the credentials are refused, 4 not reachable.
`

// verifyFlags are the flags of narthex verify.
type verifyFlags struct {
	query, sigv4, bearerFile, format string
	empty, strategies                bool
	headers                          http.Header
	maxAge, timeout                  time.Duration
}

// verifyCommand finds out what a backend can do.
func verifyCommand(ctx context.Context, args []string, t terminal) error {
	o := &verifyFlags{headers: make(http.Header)}
	f := flags("verify", t)
	f.StringVar(&o.query, "query", "", "")
	f.BoolVar(&o.empty, "empty-workspace", false, "")
	f.BoolVar(&o.strategies, "strategies", false, "")
	f.DurationVar(&o.maxAge, "max-age", 6*time.Hour, "")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "")
	f.StringVar(&o.sigv4, "sigv4", "", "")
	f.StringVar(&o.bearerFile, "bearer-token-file", "", "")
	f.StringVar(&o.format, "format", "text", "")
	f.Func("header", "", func(s string) error {
		name, value, ok := strings.Cut(s, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return fmt.Errorf("want NAME:VALUE")
		}
		o.headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	var addresses []string
	for { // flags may stand on both sides of the address
		if err := parse(f, args); err != nil {
			return err
		}
		if f.NArg() == 0 {
			break
		}
		addresses, args = append(addresses, f.Arg(0)), f.Args()[1:]
	}
	switch {
	case len(addresses) != 1:
		return usageError("it takes one address; narthex help verify tells more")
	case o.format != "text" && o.format != "json":
		return usageError("--format is %q: want text or json", o.format)
	case o.maxAge < time.Minute || o.maxAge > 24*time.Hour:
		return usageError("--max-age is %s: want 1m to 24h", o.maxAge)
	case o.strategies && o.query == "":
		return usageError("--strategies wants --query: what PromQL makes of samples is to be read")
	case o.sigv4 != "" && o.bearerFile != "":
		return usageError("--sigv4 and --bearer-token-file are two ways to say who one is: give one")
	}
	transport, err := o.transport()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return o.run(ctx, verify.Options{URL: addresses[0], QueryURL: o.query, Transport: transport, EmptyWorkspace: o.empty, MaxAge: o.maxAge}, t)
}

func (o *verifyFlags) run(ctx context.Context, what verify.Options, t terminal) error {
	var out struct {
		*verify.Report
		Strategies []verify.Strategy `json:"strategies,omitempty"`
	}
	var err error
	if out.Report, err = verify.Run(ctx, what); err != nil {
		return verifyError(err)
	}
	if o.format == "text" {
		if err := out.Report.Print(t.out); err != nil {
			return err
		}
	}
	if o.strategies {
		if out.Strategies, err = verify.Replay(ctx, what); err != nil {
			return verifyError(err)
		}
		if o.format == "text" {
			return verify.PrintStrategies(t.out, out.Strategies)
		}
	}
	if o.format == "json" {
		enc := json.NewEncoder(t.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	return nil
}

func verifyError(err error) error {
	switch narthex.KindOf(err) {
	case narthex.Forbidden:
		return &exitError{exitRejected, err}
	case narthex.Invalid:
		return &exitError{exitUsage, err}
	case narthex.Unavailable:
		return &exitError{exitUnavailable, err}
	}
	return err
}

// transport returns what carries the requests.
func (o *verifyFlags) transport() (http.RoundTripper, error) {
	base := http.DefaultTransport
	if o.sigv4 != "" {
		s, err := aws.Open(aws.Options{Region: o.sigv4})
		if err != nil {
			return nil, usageError("%v", err)
		}
		base = s.Transport("aps", nil)
	}
	if o.bearerFile != "" {
		token, err := os.ReadFile(o.bearerFile)
		if err != nil {
			return nil, usageError("%v", err)
		}
		o.headers.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	return withHeaders{base, o.headers}, nil
}

// withHeaders adds headers to requests.
type withHeaders struct {
	next    http.RoundTripper
	headers http.Header
}

// RoundTrip implements [http.RoundTripper].
func (w withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(w.headers) > 0 {
		r = r.Clone(r.Context())
		for name, values := range w.headers {
			r.Header[name] = values
		}
	}
	return w.next.RoundTrip(r)
}
