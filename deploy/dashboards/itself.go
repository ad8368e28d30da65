package main

// itself is about narthex: does what comes in go out?
func itself() board {
	return board{
		file: "narthex.json", uid: "narthex-itself", title: "narthex: itself",
		about: "Whether what comes in goes out. Scrape narthex's /metrics (narthex can do so itself, with scrape_configs).",
		rows: []row{
			{"At a glance", []panel{
				{title: "Seconds since the last tick", kind: number, width: 6, unit: "s", queries: q(`time() - max(narthex_ledger_last_tick_timestamp_seconds)`, "")},
				{title: "Destinations that took the last tick", kind: number, width: 6, unit: "percentunit", queries: q(`avg(narthex_destination_up)`, "")},
				{title: "Series in the ledger", kind: number, width: 6, unit: "short", queries: q(`sum(narthex_ledger_series)`, "")},
				{title: "Samples written a day", kind: number, width: 6, unit: "short", queries: q(`sum(rate(narthex_ledger_samples_written_total[$__rate_interval])) * 86400`, "")},
			}},
			{"In", []panel{
				{title: "Pushes by answer", kind: bars, unit: "reqps", queries: q(`sum by (code) (rate(narthex_push_requests_total[$__rate_interval]))`, "{{code}}")},
				{title: "Log on the disk", kind: lines, unit: "bytes", queries: q(`narthex_ledger_log_bytes`, "since the last checkpoint")},
			}},
			{"Out", []panel{
				{title: "How far destinations are behind", kind: lines, unit: "s", queries: q(`narthex_destination_lag_seconds`, "{{destination}}")},
				{title: "What waits on the disk", kind: lines, unit: "bytes", queries: q(`narthex_destination_outbox_bytes`, "{{destination}}")},
				{title: "Samples written", kind: lines, unit: "cps", queries: q(`rate(narthex_ledger_samples_written_total[$__rate_interval])`, "samples")},
				{title: "Trouble", kind: lines, unit: "cps", queries: []query{
					{`rate(narthex_ledger_store_errors_total[$__rate_interval])`, "writes that failed"},
					{`rate(narthex_ledger_log_errors_total[$__rate_interval])`, "log errors (pushes answered 503)"},
					{`rate(narthex_ledger_checkpoint_errors_total[$__rate_interval])`, "checkpoints that failed"},
					{`rate(narthex_ledger_ticks_skipped_total[$__rate_interval])`, "ticks skipped"},
				}},
			}},
		},
	}
}
