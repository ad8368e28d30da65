package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"narthex/app"
	"narthex/config"
)

const agentHelp = `usage: narthex agent --remote-write URL [--scrape URL]… [flags]

Scrapes targets and takes pushes, and sends all samples by remote write: narthex
serve without an embedded store, for when two flags are enough. A configuration
with storage: none, remote_write and scrape_configs says more (docs/agent.md).

  --remote-write URL    where to send; may be given several times
  --scrape URL          a target, such as http://127.0.0.1:8080/metrics; may be given
                        several times
  --job NAME            the targets' label job (default agent)
  --scrape-interval D   how often to scrape, and to write totals (default 15s)
  --listen HOST:PORT    where to take pushes (default 127.0.0.1:9091)
  --data DIR            where to keep the log and what waits for a destination that
                        is away (default ./narthex-data)
  --log-format FORMAT   text or json (default text)
  --debug               log more

Exit codes: 0 stopped when asked, 1 failed, 2 wrong flags.
`

// agent is serve without a store, by flags.
func agent(ctx context.Context, args []string, t terminal) error {
	f := flags("agent", t)
	var writes, scrapes []string
	list := func(p *[]string) func(string) error {
		return func(s string) error { *p = append(*p, s); return nil }
	}
	f.Func("remote-write", "", list(&writes))
	f.Func("scrape", "", list(&scrapes))
	job := f.String("job", "agent", "")
	c := config.Default()
	interval := f.String("scrape-interval", "15s", "")
	f.StringVar(&c.Listen, "listen", c.Listen, "")
	f.StringVar(&c.Data, "data", c.Data, "")
	format := f.String("log-format", "text", "")
	debug := f.Bool("debug", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError("it takes no arguments, but got %q", f.Arg(0))
	}
	if len(writes) == 0 {
		return usageError("--remote-write is missing: say where the samples are to go")
	}
	log, err := logger(t.err, *format, level(*debug, slog.LevelInfo))
	if err != nil {
		return err
	}
	if c.ScrapeInterval, err = config.ParseDuration(*interval); err != nil || c.ScrapeInterval < time.Second || c.ScrapeInterval > 5*time.Minute {
		return usageError("--scrape-interval is %q: want 1s to 5m", *interval)
	}
	if err := agentConfig(c, *job, writes, scrapes); err != nil {
		return err
	}
	if !app.IsLoopback(c.Listen) {
		return usageError("--listen %s can be reached from other machines: use narthex serve with a configuration, which can demand authentication", c.Listen)
	}
	access, err := app.NewAccess(c, app.AccessOptions{Logger: log})
	if err != nil {
		return err
	}
	return serveOn(ctx, c, access, log, log, t.out, false)
}

// agentConfig puts the destinations and targets into the configuration.
func agentConfig(c *config.Config, job string, writes, scrapes []string) error {
	c.Storage.None = true
	names := make(map[string]bool)
	for _, address := range writes {
		u, err := parseAddress("--remote-write", address, "https://host/api/v1/write")
		if err != nil {
			return err
		}
		w := config.RemoteWriteTo(address)
		if u.User != nil {
			password, _ := u.User.Password()
			w.HTTP.Username, w.HTTP.Password = u.User.Username(), config.Secret(password)
			u.User = nil
			w.URL = u.String()
		}
		for n := 2; names[w.Name]; n++ {
			w.Name = fmt.Sprintf("%s-%d", u.Host, n)
		}
		names[w.Name] = true
		c.RemoteWrite = append(c.RemoteWrite, w)
	}
	for i, address := range scrapes {
		flag := fmt.Sprintf("--scrape (number %d)", i+1)
		u, err := parseAddress(flag, address, "http://127.0.0.1:8080/metrics")
		if err != nil {
			return err
		}
		if u.User != nil {
			return usageError("%s has a user in its address: credentials of a target are for scrape_configs of a configuration", flag)
		}
		s := config.ScrapeJob(job)
		s.Scheme, s.Params = u.Scheme, u.Query()
		if u.Path != "" {
			s.Path = u.Path
		}
		s.Interval, s.Timeout = c.ScrapeInterval, min(c.ScrapeInterval, 10*time.Second)
		s.Targets = []config.TargetGroup{{Targets: []string{u.Host}}}
		c.ScrapeConfigs = append(c.ScrapeConfigs, s)
	}
	return nil
}
