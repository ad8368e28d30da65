package main

import (
	"fmt"
	"io"
)

const intro = `narthex is Prometheus for code that has no server to scrape.

Code pushes increments; narthex adds them up exactly once, writes the totals on
a steady tick, and answers PromQL. In a minute:

  narthex serve                         # http://127.0.0.1:9091, data in ./narthex-data
  narthex push 'orders_total{shop="zug"}+=1' queue_length=7

Commands:
`

// topics are the commands' manuals.
func topics() map[string]string {
	return map[string]string{
		"serve": `usage: narthex serve [flags]

Takes pushes on POST /api/v1/push, keeps them in an embedded Prometheus TSDB,
answers Prometheus's HTTP API under /api/v1/ and shows the data in a browser.
Stops cleanly on SIGTERM or Ctrl-C; nothing acknowledged is lost if it is
killed instead.

  --config FILE         the configuration (see narthex check); without one the
                        defaults hold
  --listen HOST:PORT    where to listen (listen, default 127.0.0.1:9091)
  --data DIR            where to keep everything (data, default ./narthex-data)
  --insecure-no-auth    allow to listen beyond this machine although anybody who
                        can connect may then push and read
  --log-format FORMAT   text or json (default text)
  --debug               log more

Exit codes: 0 stopped when asked, 1 failed, 2 wrong flags or configuration.
`,
		"push": `usage: narthex push [flags] ITEM…
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
                    http://127.0.0.1:9091)
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
`,
		"check": `usage: narthex check [FILE]

Reads a configuration (default narthex.yml) and prints every setting, its value,
where it comes from and what it means; or everything that is wrong with it, with
the lines.

  --reference       print the reference of all settings, as Markdown
  --defaults        print the settings that hold without a file

Exit codes: 0 the configuration is good, 2 it is not.
`,
		"version": "usage: narthex version\n\nPrints the version.\n",
	}
}

// help prints the manual of a topic, or all commands.
func help(w io.Writer, topic string) int {
	if topic == "" {
		fmt.Fprint(w, intro)
		for _, c := range commands() {
			fmt.Fprintf(w, "  %-9s %s\n", c.name, c.short)
		}
		fmt.Fprint(w, "\nnarthex help COMMAND tells more. Documentation: README.md and docs/.\n")
		return exitOK
	}
	text, ok := topics()[topic]
	if !ok {
		fmt.Fprintf(w, "narthex: there is no help on %q; narthex help lists the commands\n", topic)
		return exitUsage
	}
	fmt.Fprint(w, text)
	return exitOK
}
