package main

// probes is about what probes found, from each region.
func probes() board {
	const chosen = `name=~"$target", region=~"$region"`
	of := func(metric string) string { return metric + `{` + chosen + `}` }
	made := `sum by (name) (increase(` + of("probe_all_success_count") + `[$__range]))`
	return board{
		file: "probes.json", uid: "narthex-probes", title: "narthex: probes",
		about: "What is up, from where, how fast, and why not.",
		variables: []variable{
			{name: "target", label: "Target", values: `label_values(probe_success, name)`},
			{name: "region", label: "Region", values: `label_values(probe_success, region)`},
		},
		rows: []row{
			{"Up or down", []panel{
				{title: "By target and region", kind: states, width: 24,
					queries: q(`max by (name, region) (`+of("probe_success")+`)`, "{{name}} {{region}}")},
				{title: "Share of successful probes in the time shown", kind: rows, unit: "percentunit", about: "Of all probes, by counters: the step of the graph does not matter.",
					queries: q(`sum by (name) (increase(`+of("probe_all_success_sum")+`[$__range])) / `+made, "")},
				{title: "Probes that did not run", kind: lines, unit: "short", about: "Due, but not made: the program was away, or had no room. Neither up nor down.",
					queries: q(`sum by (name, region) (increase(`+of("probe_scheduled_total")+`[$__rate_interval])) - sum by (name, region) (increase(`+of("probe_all_success_count")+`[$__rate_interval]))`, "{{name}} {{region}}")},
				{title: "Why probes fail", kind: lines, width: 24, unit: "short", about: "Targets by the reason of their last probe.",
					queries: q(`count by (name, phase, reason) (`+of("probe_failure_info")+`)`, "{{name}}: {{phase}}, {{reason}}")},
			}},
			{"How fast", []panel{
				{title: "Duration, 95th percentile", kind: lines, unit: "s",
					queries: q(`histogram_quantile(0.95, sum by (name, region, le) (rate(`+of("probe_all_duration_seconds_bucket")+`[$__rate_interval])))`, "{{name}} {{region}}")},
				{title: "Phases of HTTP", kind: bars, unit: "s",
					queries: q(`avg by (phase) (`+of("probe_http_duration_seconds")+`)`, "{{phase}}")},
				{title: "Time that the prober waited for its processor", kind: lines, unit: "s", about: "Much of it, and the durations are the prober's and not the target's: give the function more memory.",
					queries: q(`max by (name, region) (`+of("narthex_runner_cpu_wait_seconds")+`)`, "{{name}} {{region}}")},
				{title: "Days until certificates expire", kind: rows, unit: "d",
					queries: q(`(min by (name) (`+of("probe_ssl_earliest_cert_expiry")+`) - time()) / 86400`, "")},
			}},
		},
	}
}
