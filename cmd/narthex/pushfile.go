package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"narthex"
	"narthex/openmetrics"
	"narthex/push"
)

// fileFlags are the flags of push for a file of metrics.
type fileFlags struct {
	file, job, instance, source string
	group                       []narthex.Label
	aggregate, add              bool
	ttl                         time.Duration
}

func (o *fileFlags) define(f *flag.FlagSet) {
	f.StringVar(&o.file, "file", "", "")
	f.StringVar(&o.job, "job", "", "")
	f.StringVar(&o.instance, "instance", "", "")
	f.StringVar(&o.source, "source", "", "")
	f.BoolVar(&o.aggregate, "aggregate", false, "")
	f.BoolVar(&o.add, "add", false, "")
	f.DurationVar(&o.ttl, "ttl", 0, "")
	f.Func("group", "", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" || name == "job" {
			return fmt.Errorf("want LABEL=VALUE (the job has a flag of its own)")
		}
		o.group = append(o.group, narthex.Label{Name: name, Value: value})
		return nil
	})
}

// used reports whether a flag for files is given.
func (o *fileFlags) used() bool {
	return o.file != "" || o.job != "" || o.instance != "" || o.source != "" || len(o.group) > 0 || o.aggregate || o.add || o.ttl != 0
}

// exposition reads the file, or standard input for "-".
func (o *fileFlags) exposition(args []string, others bool, in io.Reader) (push.Exposition, error) {
	x := push.Exposition{Extend: o.add, Aggregate: o.aggregate, Source: o.source, TTL: o.ttl}
	switch {
	case o.file == "" || o.job == "":
		return x, usageError("a file of metrics is pushed with --file FILE and --job NAME; narthex help push shows how")
	case len(args) > 0 || others:
		return x, usageError("--file goes without items, --service and --buckets: push those on their own")
	case o.source != "" && !o.aggregate:
		return x, usageError("--source goes with --aggregate")
	case o.ttl != 0 && o.aggregate:
		return x, usageError("--ttl is for a group, which --aggregate does not make")
	case o.ttl < 0:
		return x, usageError("--ttl must not be negative")
	}
	x.Group = append(x.Group, narthex.Label{Name: "job", Value: o.job})
	if o.instance != "" {
		x.Group = append(x.Group, narthex.Label{Name: "instance", Value: o.instance})
	}
	x.Group = append(x.Group, o.group...)
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return x, usageError("%v", err)
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	switch {
	case err != nil:
		return x, usageError("read %s: %v", o.file, err)
	case len(body) > maxInput:
		return x, usageError("%s has more than %d bytes", o.file, maxInput)
	}
	x.Body, x.ContentType = body, formatOf(body).ContentType()
	return x, nil
}

// formatOf tells OpenMetrics, which ends in a line of its own, from text 0.0.4.
func formatOf(body []byte) openmetrics.Format {
	if bytes.HasSuffix(bytes.TrimRight(body, "\n"), []byte("# EOF")) {
		return openmetrics.OpenMetrics
	}
	return openmetrics.Text
}
