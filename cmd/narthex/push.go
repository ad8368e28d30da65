package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/push"
)

// pushCommand sends counters and gauges, or a body from standard input.
func pushCommand(ctx context.Context, args []string, t terminal) error {
	f := flags("push", t)
	url := f.String("url", cmp.Or(os.Getenv("NARTHEX_URL"), "http://127.0.0.1:9091"), "")
	service := f.String("service", "", "")
	id := f.String("id", "", "")
	timeout := f.Duration("timeout", 30*time.Second, "")
	asJSON := f.Bool("json", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return usageError("there is nothing to push; narthex help push shows how")
	}
	body, err := pushBody(f.Args(), *service, t.in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	client := &push.Client{URL: *url}
	r, err := client.Send(ctx, cmp.Or(*id, rand.Text()), body)
	if r != nil {
		printReceipt(t, r, *asJSON)
	}
	switch {
	case narthex.IsRejected(err):
		return &exitError{exitRejected, err}
	case err != nil:
		return &exitError{exitUnavailable, err}
	case len(r.Rejected) > 0:
		return &exitError{exitRejected, fmt.Errorf("%d of %d were rejected", len(r.Rejected), len(r.Rejected)+r.Accepted)}
	}
	return nil
}

func printReceipt(t terminal, r *push.Receipt, asJSON bool) {
	if asJSON {
		json.NewEncoder(t.out).Encode(r)
		return
	}
	switch r.Status {
	case push.Duplicate:
		fmt.Fprintf(t.out, "duplicate: %d were counted before under the id %s\n", r.Duplicate, r.ID)
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

// pushBody returns the JSON body that the arguments stand for.
func pushBody(args []string, service string, in io.Reader) ([]byte, error) {
	if len(args) == 1 && args[0] == "-" {
		if service != "" {
			return nil, usageError("--service goes with items, not with a body from standard input: set service there")
		}
		return io.ReadAll(io.LimitReader(in, 64<<20))
	}
	type series struct {
		Labels  map[string]string `json:"labels"`
		As      string            `json:"as"`
		Samples []map[string]any  `json:"samples"`
	}
	var all []series
	for _, arg := range args {
		s, err := parseItem(arg)
		if err != nil {
			return nil, usageError("%s: %v", arg, err)
		}
		labels := make(map[string]string)
		for _, l := range s.Labels {
			labels[l.Name] = l.Value
		}
		all = append(all, series{labels, s.As.String(), []map[string]any{{"value": s.Samples[0].Value}}})
	}
	body := map[string]any{"series": all}
	if service != "" {
		body["service"] = service
	}
	return json.Marshal(body)
}

// parseItem reads NAME{LABEL="VALUE",…}+=N or …=N.
func parseItem(arg string) (narthex.Series, error) {
	name, rest := arg, ""
	if i := strings.IndexAny(arg, "{+="); i >= 0 {
		name, rest = arg[:i], arg[i:]
	}
	labels := []narthex.Label{{Name: narthex.MetricName, Value: strings.TrimSpace(name)}}
	if strings.HasPrefix(rest, "{") {
		var err error
		if labels, rest, err = parseLabels(labels, rest[1:]); err != nil {
			return narthex.Series{}, err
		}
	}
	s := narthex.Series{As: narthex.AsGauge}
	number, ok := strings.CutPrefix(strings.TrimSpace(rest), "+=")
	if ok {
		s.As = narthex.AsDelta
	} else if number, ok = strings.CutPrefix(strings.TrimSpace(rest), "="); !ok {
		return s, fmt.Errorf("want NAME+=N to count or NAME=N to set a gauge")
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || v-v != 0 {
		return s, fmt.Errorf("%q is not a finite number", number)
	}
	s.Samples = []narthex.Sample{{Value: v}}
	s.Labels, err = narthex.NewLabels(labels...)
	return s, err
}

// parseLabels reads LABEL="VALUE",…} as PromQL writes it.
func parseLabels(labels []narthex.Label, s string) ([]narthex.Label, string, error) {
	for {
		s = strings.TrimLeft(s, " ")
		if rest, ok := strings.CutPrefix(s, "}"); ok {
			return labels, rest, nil
		}
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, "", fmt.Errorf(`want {label="value",…} after the name`)
		}
		quoted, err := strconv.QuotedPrefix(strings.TrimLeft(rest, " "))
		if err != nil {
			return nil, "", fmt.Errorf("the value of label %s is not in quotes", strings.TrimSpace(name))
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, "", fmt.Errorf("the value of label %s: %w", strings.TrimSpace(name), err)
		}
		labels = append(labels, narthex.Label{Name: strings.TrimSpace(name), Value: value})
		s = strings.TrimLeft(strings.TrimLeft(rest, " ")[len(quoted):], " ")
		if next, ok := strings.CutPrefix(s, ","); ok {
			s = next
		} else if !strings.HasPrefix(s, "}") {
			return nil, "", fmt.Errorf("want , or } after the value of label %s", name)
		}
	}
}
