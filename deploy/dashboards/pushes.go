package main

// pushes is about what is pushed: any counter, and who pushes how much.
func pushes() board {
	return board{
		file: "pushes.json", uid: "narthex-pushes", title: "narthex: pushes",
		about: "Any counter that is pushed, and what its senders push.",
		variables: []variable{
			{name: "metric", label: "Counter", values: `label_values({__name__=~".+_total", __name__!~"narthex_.*|prometheus_.*|go_.*"}, __name__)`, single: true},
		},
		rows: []row{
			{"The counter", []panel{
				{title: "Per second", kind: lines, unit: "cps", about: "The average rate, over all labels.",
					queries: q(`sum(rate({__name__="$metric"}[$__rate_interval]))`, "$metric")},
				{title: "In the time shown", kind: number, width: 6, about: "increase() extrapolates a little; the viewer of narthex shows the exact difference of the stored samples.",
					queries: q(`sum(increase({__name__="$metric"}[$__range]))`, "")},
				{title: "Series", kind: number, width: 6, queries: q(`count({__name__="$metric"})`, "")},
				{title: "By series, the ten largest", kind: rows, width: 24,
					queries: q(`topk(10, increase({__name__="$metric"}[$__range]))`, "")},
			}},
			{"Requests", []panel{
				{title: "Pushes by answer", kind: bars, unit: "reqps", queries: q(`sum by (code) (rate(narthex_push_requests_total[$__rate_interval]))`, "{{code}}")},
				{title: "Entries, duplicates, rejected series", kind: lines, unit: "cps", about: "A duplicate is a retry that was recognised: it counts once.",
					queries: []query{
						{`rate(narthex_ledger_entries_total[$__rate_interval])`, "entries"},
						{`rate(narthex_ledger_duplicates_total[$__rate_interval])`, "duplicates"},
						{`rate(narthex_ledger_rejected_series_total[$__rate_interval])`, "rejected series"},
					}},
			}},
			{"Limits", []panel{
				{title: "Active series", kind: lines, unit: "short", queries: q(`sum(narthex_limiter_active_series)`, "active")},
				{title: "Series in the ledger", kind: lines, unit: "short", queries: q(`narthex_ledger_series`, "series")},
			}},
		},
	}
}
