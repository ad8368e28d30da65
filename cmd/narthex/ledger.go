package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"narthex/app"
)

const ledgerHelp = `usage: narthex ledger list [flags] [SELECTOR]
       narthex ledger get [flags] SERIES
       narthex ledger set [flags] SERIES VALUE
       narthex ledger delete [flags] SERIES…
       narthex ledger export [flags] [FILE]
       narthex ledger import [flags] FILE

Looks into the totals that the ledger keeps, corrects them, backs them up. Of a
program that runs (--url), of one that does not (--data), or of totals in a store
of values (--state).

  list      the series that a selector of PromQL picks, or all
  get       one series, as JSON; a histogram whole
  set       set a total or a gauge, or a histogram to 0 or to a whole one in the form
            that get prints. A counter that falls by it is a counter reset on the
            wire: increase() counts the new value once more (docs/ledger.md)
  delete    end series, each with a staleness marker, and forget their totals;
            what is pushed later begins at zero
  export    write all that the ledger has as JSON lines to FILE (default standard
            output): a backup, and the way to an older or newer version
  import    read an export (- is standard input) into an empty ledger

  --url URL           the narthex to speak to (default $NARTHEX_URL, else
                      http://127.0.0.1:9091); $NARTHEX_TOKEN has the token, which
                      wants the scope admin
  --data DIR          the data directory of a narthex that does not run
  --state URL         totals in a store: s3://bucket/prefix, dynamodb://table/prefix
                      or file:path
  --config FILE       with --data or --state: the configuration, for what it says of
                      the ledger
  --limit N           list: how many series at most (default 1000)
  --format FORMAT     list: text or json (default text)
  --merge             import: into a ledger that is not empty; what it has stays as
                      it is
  --ignore-unknown    import: pass over what this version does not know
  --timeout D         give up after this long (default 5m)

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused in part or whole (the message
says what), 4 not reachable.
`

// ledgerFlags are the flags of narthex ledger.
type ledgerFlags struct {
	url, data, state, config string
	limit                    int
	create                   bool // the data directory, if need be
	format                   string
	merge, ignoreUnknown     bool
	timeout                  time.Duration
}

// ledgerCommand looks into totals and corrects them.
func ledgerCommand(ctx context.Context, args []string, t terminal) error {
	actions := map[string]func(context.Context, *ledgerClient, []string) error{
		"list": listTotals, "get": getTotal, "set": setTotal, "delete": deleteTotals, "export": exportTotals, "import": importTotals,
	}
	if len(args) == 0 {
		return usageError("say what to do: list, get, set, delete, export or import; narthex help ledger tells more")
	}
	action := actions[args[0]]
	o := &ledgerFlags{}
	f := flags("ledger", t)
	f.StringVar(&o.url, "url", cmp.Or(os.Getenv("NARTHEX_URL"), narthexAddress), "")
	f.StringVar(&o.data, "data", "", "")
	f.StringVar(&o.state, "state", "", "")
	f.StringVar(&o.config, "config", "", "")
	f.IntVar(&o.limit, "limit", 1000, "")
	f.StringVar(&o.format, "format", "text", "")
	f.BoolVar(&o.merge, "merge", false, "")
	f.BoolVar(&o.ignoreUnknown, "ignore-unknown", false, "")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "")
	rest := args[1:]
	if action == nil {
		rest = args // perhaps it asks for help
	}
	if err := parse(f, rest); err != nil {
		return err
	}
	if action == nil {
		return usageError("there is no narthex ledger %s: want list, get, set, delete, export or import", args[0])
	}
	o.create = args[0] == "import"
	if err := o.check(f); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	transport, closing, err := o.transport(ctx, t)
	if err != nil {
		return err
	}
	c := &ledgerClient{o: o, t: t, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return errors.Join(action(ctx, c, f.Args()), closing())
}

func (o *ledgerFlags) check(f *flag.FlagSet) error {
	set := 0
	f.Visit(func(x *flag.Flag) {
		if x.Name == "url" || x.Name == "data" || x.Name == "state" {
			set++
		}
	})
	switch {
	case set > 1:
		return usageError("--url, --data and --state are three ways to a ledger: give one")
	case o.format != "text" && o.format != "json":
		return usageError("--format is %q: want text or json", o.format)
	case o.limit < 1 || o.limit > 100_000:
		return usageError("--limit is %d: want 1 to 100000", o.limit)
	case o.data == "" && o.state == "":
		_, err := parseAddress("--url (or $NARTHEX_URL)", o.url, narthexAddress)
		return err
	}
	return nil
}

// ledgerClient speaks to the doors of a ledger, over the network or, where no
// program runs, within this one.
type ledgerClient struct {
	o    *ledgerFlags
	t    terminal
	http *http.Client
}

// do makes a request and returns the answer, whose body the caller closes, or
// what went wrong.
func (c *ledgerClient) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	address := strings.TrimSuffix(c.o.url, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, usageError("--url: %v", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &exitError{exitUnavailable, err}
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	var failure struct {
		Error    string
		Rejected []struct{ Series, Reason string }
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(text, &failure) != nil || failure.Error == "" {
		failure.Error = resp.Status
	}
	for _, r := range failure.Rejected {
		fmt.Fprintf(c.t.err, "refused %s: %s\n", r.Series, r.Reason)
	}
	err = errors.New(failure.Error)
	switch code := resp.StatusCode; {
	case code == http.StatusBadRequest:
		return nil, &exitError{exitUsage, err}
	case code == http.StatusNotFound:
		return nil, fmt.Errorf("%s has no such door: is it a narthex of this version?", c.o.url)
	case code >= 500 || code == http.StatusTooManyRequests:
		return nil, &exitError{exitUnavailable, err}
	}
	return nil, &exitError{exitRejected, err}
}

// answer makes a request and reads the answer's JSON into v.
func (c *ledgerClient) answer(ctx context.Context, method, path string, query url.Values, body io.Reader, v any) error {
	resp, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return &exitError{exitUnavailable, fmt.Errorf("read the answer: %w", err)}
	}
	return nil
}

const seriesDoor = "/api/v1/ledger/series"

func listTotals(ctx context.Context, c *ledgerClient, args []string) error {
	if len(args) > 1 {
		return usageError("it takes one selector, but got %q too", args[1])
	}
	query := url.Values{"limit": {strconv.Itoa(c.o.limit)}}
	if len(args) == 1 {
		query.Set("match", args[0])
	}
	var list app.LedgerList
	if err := c.answer(ctx, http.MethodGet, seriesDoor, query, nil, &list); err != nil {
		return err
	}
	if c.o.format == "json" {
		return json.NewEncoder(c.t.out).Encode(list)
	}
	for _, s := range list.Data {
		fmt.Fprintln(c.t.out, s.Series, describeTotal(s))
	}
	if list.More {
		fmt.Fprintf(c.t.err, "there are more than %d: give a selector, or --limit\n", c.o.limit)
	}
	return nil
}

// describeTotal says a total in one line.
func describeTotal(s app.LedgerSeries) string {
	text := s.Value
	if s.Histogram != nil {
		text = s.Count + " observations"
	}
	text += "  (" + s.Type
	if s.Group != "" {
		text += " of the group " + s.Group
	}
	switch {
	case s.Pending:
		text += ", changed since it was written"
	case !s.Changed.IsZero():
		text += ", changed " + s.Changed.Format(time.RFC3339)
	}
	switch {
	case s.Stale:
		text += ", ended " + s.Written.Format(time.RFC3339)
	case !s.Written.IsZero():
		text += ", written " + s.Written.Format(time.RFC3339)
	default:
		text += ", not written yet"
	}
	if s.Sources > 0 {
		text += fmt.Sprintf(", %d sources", s.Sources)
	}
	return text + ")"
}

func getTotal(ctx context.Context, c *ledgerClient, args []string) error {
	if len(args) != 1 {
		return usageError("it takes one series")
	}
	var list app.LedgerList
	if err := c.answer(ctx, http.MethodGet, seriesDoor, url.Values{"series": {args[0]}}, nil, &list); err != nil {
		return err
	}
	if len(list.Data) == 0 {
		return &exitError{exitRejected, fmt.Errorf("the ledger keeps no series %s: narthex ledger list says which it keeps", args[0])}
	}
	enc := json.NewEncoder(c.t.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(list.Data[0])
}

func setTotal(ctx context.Context, c *ledgerClient, args []string) error {
	if len(args) != 2 {
		return usageError("it takes a series and a value")
	}
	body := app.LedgerSet{Series: args[0]}
	if v, err := strconv.ParseFloat(args[1], 64); err == nil && v-v == 0 {
		body.Value = &v
	} else if json.Valid([]byte(args[1])) && strings.HasPrefix(strings.TrimSpace(args[1]), "{") {
		body.Histogram = json.RawMessage(args[1])
	} else {
		return usageError("%q is neither a finite number nor a histogram in JSON", args[1])
	}
	b, err := json.Marshal(body)
	if err != nil {
		return usageError("%v", err)
	}
	if err := c.answer(ctx, http.MethodPut, seriesDoor, nil, bytes.NewReader(b), &struct{}{}); err != nil {
		return err
	}
	fmt.Fprintf(c.t.out, "%s is %s from the next tick on\n", args[0], args[1])
	return nil
}

func deleteTotals(ctx context.Context, c *ledgerClient, args []string) error {
	if len(args) == 0 {
		return usageError("say which series")
	}
	var done struct{ Series int }
	if err := c.answer(ctx, http.MethodDelete, seriesDoor, url.Values{"series": args}, nil, &done); err != nil {
		return err
	}
	fmt.Fprintf(c.t.out, "%d series end at the next tick\n", done.Series)
	return nil
}

// quiet is a logger for ledgers that this program opens itself.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
