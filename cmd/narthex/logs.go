package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/app"
	"narthex/config"
	"narthex/logs"
)

const logsHelp = `usage: narthex logs [flags] FILE|DIR|PATTERN|s3://BUCKET/PREFIX|-…

Makes metrics of access logs (CloudFront, load balancers, S3, API Gateway, Lambda,
nginx, Apache, JSON lines; plain, gzip or zstd). Without --to it is a dry run: it says
what would be counted, by which routes, in how many series, and what they would cost.
Several logs add up; - is standard input.

  --to URL            push to this narthex, each log once: running it again counts
                      nothing again (a token is taken from $NARTHEX_TOKEN)
  --follow            with --to: go on with what is appended, of one file or directory
  --backfill          write them into the embedded store at their own times, each log
                      once, whether or not a narthex serves it: as series with the
                      label backfill
  --data DIR          where the store is, and where --follow keeps how far it has read
                      (data of the configuration, default ./narthex-data)
  --since D           leave out logs that were not changed for so long
  --suggest-routes    print a list of routes to paste, with the traffic each covers

  --config FILE --source NAME
                      read as this source of the configuration's logs
  --format NAME       the logs' format, if it is not found out:
                      ` + "%s" + `
  --fields A,B,…      the columns of logs without a header
  --preset NAME       the metrics to make: article; none are the default ones
  --route PATTERN     a route such as 'GET /v1/users/{id}'; may be given several times
  --learn             make routes of paths that match no pattern
  --label NAME=VALUE  set a label; may be given several times
  --sampling-rate P   the percentage of requests that are logged

  -o FORMAT           table (the default), json, or openmetrics: the metrics themselves
  --timeout D         with --to: give up when a push is not taken for so long (default 5m)

Exit codes: 0 all was read to its end, 1 a log is not there or can't be opened, 2
wrong usage, 3 a log is cut off, damaged or of no known format, or was refused, 4 the
other narthex is not reachable in time.
`

// logsFlags are the flags of narthex logs.
type logsFlags struct {
	to, data, output, configFile string
	follow, suggest, historic    bool
	since, timeout               time.Duration
	source                       config.LogSource
	named                        string
}

// logsCommand makes metrics of access logs.
func logsCommand(ctx context.Context, args []string, t terminal) error {
	f := flags("logs", t)
	o := &logsFlags{source: config.LogSource{SamplingRate: 100}}
	s := &o.source
	f.StringVar(&o.to, "to", "", "")
	f.BoolVar(&o.follow, "follow", false, "")
	f.BoolVar(&o.historic, "backfill", false, "")
	f.StringVar(&o.data, "data", "", "")
	f.DurationVar(&o.since, "since", 0, "")
	f.BoolVar(&o.suggest, "suggest-routes", false, "")
	f.StringVar(&o.configFile, "config", "", "")
	f.StringVar(&o.named, "source", "", "")
	f.StringVar(&s.Format, "format", "", "")
	f.Func("fields", "", func(v string) error { s.Fields = strings.Split(v, ","); return nil })
	f.StringVar(&s.Preset, "preset", "", "")
	f.Func("route", "", func(v string) error { s.Routes = append(s.Routes, v); return nil })
	f.BoolVar(&s.Learn, "learn", false, "")
	f.Func("label", "", func(v string) error {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return errors.New("want NAME=VALUE")
		}
		s.Labels = s.Labels.With(name, value)
		return narthex.NameScheme{}.Check(append(narthex.Labels{{Name: narthex.MetricName, Value: "x"}}, s.Labels...))
	})
	f.Float64Var(&s.SamplingRate, "sampling-rate", 100, "")
	f.StringVar(&o.output, "o", "table", "")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "")
	names, err := parseMixed(f, args)
	if err != nil {
		return err
	}
	c, err := o.check(names)
	if err != nil {
		return err
	}
	so := app.SourceOptions(c, o.source)
	if o.historic {
		return o.backfill(ctx, names, c, so, t)
	}
	if so.Lateness = 0; o.to != "" { // what is pushed counts when it arrives
		return o.push(ctx, names, so, t)
	}
	return o.dryRun(ctx, names, so, t)
}

// check completes the flags, and says what is wrong with them.
func (o *logsFlags) check(names []string) (*config.Config, error) {
	switch {
	case len(names) == 0:
		return nil, usageError("there is no log to read: name files, directories, s3://bucket/prefix, or - for standard input")
	case !slices.Contains([]string{"table", "json", "openmetrics"}, o.output):
		return nil, usageError("-o is %q: want table, json or openmetrics", o.output)
	case o.follow && o.to == "":
		return nil, usageError("--follow goes with --to URL; narthex serve follows logs itself, with logs in its configuration")
	case o.follow && len(names) != 1, o.follow && names[0] == "-":
		return nil, usageError("--follow follows one file, directory, pattern or s3://bucket/prefix")
	case o.to != "" && (o.suggest || o.output == "openmetrics"):
		return nil, usageError("--to does not go with --suggest-routes and -o openmetrics, which are for trying")
	case o.historic && (o.to != "" || o.suggest || o.output == "openmetrics"):
		return nil, usageError("--backfill does not go with --to, --follow, --suggest-routes and -o openmetrics")
	case o.named != "" && o.configFile == "":
		return nil, usageError("--source names a source of the configuration: say --config FILE too")
	}
	if o.to != "" {
		if _, err := parseAddress("--to", o.to, narthexAddress); err != nil {
			return nil, err
		}
	}
	c, err := load(o.configFile)
	if err != nil {
		return nil, err
	}
	if o.data != "" {
		c.Data = o.data
	}
	o.data = c.Data
	if o.configFile == "" {
		o.source.Source = "logs"
		return c, nil
	}
	var known []string
	for _, s := range c.Logs {
		if known = append(known, s.Source); s.Source == o.named || o.named == "" && len(c.Logs) == 1 {
			o.source = s
			return c, nil
		}
	}
	return nil, usageError("--source %q is none of the logs in %s: there are %s", o.named, o.configFile, cmp.Or(strings.Join(known, ", "), "none"))
}

// dryRun reads the logs and prints what they come to.
func (o *logsFlags) dryRun(ctx context.Context, names []string, so logs.Options, t terminal) error {
	r, err := accesslog.New(so.Log)
	if err != nil {
		return usageError("%v", err)
	}
	s := &logsSummary{}
	var sum *accesslog.Counts
	err = o.each(ctx, names, t.in, func(ctx context.Context, l logInput) error {
		counts, err := r.Read(ctx, l.name, l.body)
		if err != nil {
			return err
		}
		s.Files++
		if sum == nil {
			sum = counts
		} else {
			sum.Add(counts)
		}
		return nil
	}, s)
	if sum == nil {
		return err
	}
	s.take(sum, so.Labels)
	switch {
	case o.suggest:
		s.suggest(plain{t.out})
	case o.output == "json":
		s.json(t.out)
	case o.output == "openmetrics":
		err = errors.Join(err, s.expose(t.out))
	default:
		s.table(plain{t.out})
	}
	return err
}

// parseMixed parses flags that may stand before, between and behind the other
// arguments, which it returns.
func parseMixed(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := parse(f, args); err != nil {
			return nil, err
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if i := len(args) - len(left); i > 0 && args[i-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// logsManual is the help with the formats.
func logsManual() string { return fmt.Sprintf(logsHelp, wrapped(accesslog.Formats(), 56, 22)) }

// wrapped writes words with commas in lines of a width, indented but for the
// first.
func wrapped(words []string, width, indent int) string {
	var b strings.Builder
	line := 0
	for i, w := range words {
		if i > 0 {
			b.WriteString(",")
			if line+len(w)+2 > width {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				line = 0
			} else {
				b.WriteString(" ")
				line += 2
			}
		}
		b.WriteString(w)
		line += len(w)
	}
	return b.String()
}
