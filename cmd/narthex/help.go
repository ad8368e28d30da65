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

// topics are the commands' manuals, each of which stands beside its command.
func topics() map[string]string {
	return map[string]string{
		"serve":   serveHelp,
		"agent":   agentHelp,
		"probe":   probeHelp,
		"logs":    logsManual(),
		"push":    pushHelp,
		"ledger":  ledgerHelp,
		"lambda":  lambdaHelp,
		"verify":  verifyHelp,
		"viewer":  viewerHelp,
		"token":   tokenHelp,
		"invoke":  invokeHelp,
		"cost":    costHelp,
		"check":   checkHelp,
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
