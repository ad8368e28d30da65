package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"narthex"
	"narthex/push"
)

const pushHelp = `usage: narthex push [flags] ITEM…
       narthex push [flags] --job NAME --file FILE

Sends counters, observations and gauges, or a file of metrics, to a narthex,
with retries that count once.

  orders_total+=1                        add to a counter
  'orders_total{shop="zug",ok="1"}+=2.5' with labels
  'latency_seconds{route="/a"}~=0.12,0.3' observe values: a histogram
  queue_length=7                         set a gauge
  -                                      read a JSON body (docs/push.md) from
                                         standard input and send that

  --url URL         the narthex to push to (default $NARTHEX_URL, else
                    http://127.0.0.1:9091); a token is taken from $NARTHEX_TOKEN
  --service NAME    set the label service on each
  --buckets NAME    the buckets of what is observed: default, api_latency, native,
                    or one of the configuration's histograms
  --id ID           the push's id: repeat a push under the same id to be sure
                    that it is counted, once (default: a random one)
  --timeout D       give up after this long (default 30s)
  --json            print the receipt as JSON

A file (text 0.0.4 or OpenMetrics; - is standard input) is pushed as Pushgateway
takes it: it replaces what the group, which job and further labels name, had.

  --file FILE           the file
  --job NAME            the group's job
  --instance NAME       its instance
  --group LABEL=VALUE   a further label of it; may be given several times
  --add                 replace metrics of the same names only (POST)
  --ttl D               end the group when it has not been pushed for this long
  --aggregate           add up counters and histograms instead, and set gauges
  --source ID           with --aggregate: the file has the totals of this source,
                        of which the differences are added

Exit codes: 0 all accepted (or a duplicate), 2 wrong usage, 3 refused in part or
whole, 4 not reachable in time (the message has the id to try again under).
`

// pushFlags are the flags of push.
type pushFlags struct {
	url, service, id, buckets string
	timeout                   time.Duration
	json                      bool
	file                      fileFlags
}

// pushCommand sends counters, gauges and observations, a body from standard
// input, or a file of metrics.
func pushCommand(ctx context.Context, args []string, t terminal) error {
	f := flags("push", t)
	var o pushFlags
	f.StringVar(&o.url, "url", cmp.Or(os.Getenv("NARTHEX_URL"), narthexAddress), "")
	f.StringVar(&o.service, "service", "", "")
	f.StringVar(&o.id, "id", "", "")
	f.StringVar(&o.buckets, "buckets", "", "")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "")
	f.BoolVar(&o.json, "json", false, "")
	o.file.define(f)
	if err := parse(f, args); err != nil {
		return err
	}
	if _, err := parseAddress("--url (or $NARTHEX_URL)", o.url, narthexAddress); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	client := &push.Client{URL: o.url, HTTP: withToken(os.Getenv("NARTHEX_TOKEN"))}
	o.id = cmp.Or(o.id, rand.Text())
	r, err := o.send(ctx, client, f.Args(), t.in)
	if r != nil {
		printReceipt(t, r, o.json)
	}
	switch {
	case errors.As(err, new(*exitError)):
		return err
	case narthex.IsRejected(err):
		return &exitError{exitRejected, err}
	case err != nil:
		return &exitError{exitUnavailable, err}
	case len(r.Rejected) > 0:
		return &exitError{exitRejected, fmt.Errorf("%d of %d were rejected", len(r.Rejected), len(r.Rejected)+r.Accepted)}
	}
	return nil
}

func (o *pushFlags) send(ctx context.Context, client *push.Client, args []string, in io.Reader) (*push.Receipt, error) {
	if o.file.used() {
		x, err := o.file.exposition(args, o.service != "" || o.buckets != "", in)
		if err != nil {
			return nil, err
		}
		return client.SendExposition(ctx, o.id, x)
	}
	if len(args) == 0 {
		return nil, usageError("there is nothing to push; narthex help push shows how")
	}
	body, err := o.body(args, in)
	if err != nil {
		return nil, err
	}
	return client.Send(ctx, o.id, body)
}

func printReceipt(t terminal, r *push.Receipt, asJSON bool) {
	t.out, t.err = plain{t.out}, plain{t.err} // it is the server's text
	if asJSON {
		json.NewEncoder(t.out).Encode(r)
		return
	}
	switch r.Status {
	case push.Duplicate:
		fmt.Fprintf(t.out, "duplicate: %d were counted before under the id %s\n", r.Duplicate, r.ID)
	case push.Accepted, push.Partial:
		if r.Accepted == 0 { // a group's, whose answer has no numbers
			fmt.Fprintf(t.out, "%s (id %s)\n", r.Status, r.ID)
			break
		}
		fallthrough
	default:
		fmt.Fprintf(t.out, "%s: %d (id %s)\n", r.Status, r.Accepted, r.ID)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(t.err, "warning:", w)
	}
	for _, x := range r.Rejected {
		fmt.Fprintf(t.err, "rejected %s: %s\n", x.Series, x.Reason)
	}
}

// body returns the JSON body that the arguments stand for.
func (o *pushFlags) body(args []string, in io.Reader) ([]byte, error) {
	if len(args) == 1 && args[0] == "-" {
		if o.service != "" || o.buckets != "" {
			return nil, usageError("--service and --buckets go with items, not with a body from standard input: say it there")
		}
		return io.ReadAll(io.LimitReader(in, maxInput))
	}
	var series, histograms []map[string]any
	for _, arg := range args {
		x, err := parseItem(arg)
		if err != nil {
			return nil, usageError("%s: %v", arg, err)
		}
		if x.op == "~=" {
			histograms = append(histograms, x.histogram(o.buckets))
		} else {
			series = append(series, x.series())
		}
	}
	if o.buckets != "" && len(histograms) == 0 {
		return nil, usageError("--buckets goes with observations: NAME~=N,N")
	}
	body := map[string]any{"series": series, "histograms": histograms}
	if o.service != "" {
		body["service"] = o.service
	}
	return json.Marshal(body)
}

// maxInput is how much is read of a file or of standard input, in bytes.
const maxInput = 64 << 20
