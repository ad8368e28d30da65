package main

// logs is about what access logs say: rate, errors and duration by route.
func logs() board {
	const chosen = `{host=~"$host", route=~"$route"}`
	by := func(metric, matchers, labels string) string {
		return `sum by (` + labels + `) (rate(` + metric + `{host=~"$host", route=~"$route"` + matchers + `}[$__rate_interval]))`
	}
	quantile := func(of string) query {
		return query{`histogram_quantile(` + of + `, sum by (le) (rate(http_request_duration_seconds_bucket` + chosen + `[$__rate_interval])))`, "p" + of[2:]}
	}
	return board{
		file: "logs.json", uid: "narthex-logs", title: "narthex: access logs",
		about: "Rate, errors and duration by route, from access logs with narthex's default metrics. Logs arrive minutes late, and count when they arrive unless event_time is set.",
		variables: []variable{
			{name: "host", label: "Host", values: `label_values(http_requests_total, host)`},
			{name: "route", label: "Route", values: `label_values(http_requests_total{host=~"$host"}, route)`},
		},
		rows: []row{
			{"All routes that are chosen", []panel{
				{title: "Requests by status", kind: bars, unit: "reqps", queries: q(by("http_requests_total", "", "status"), "{{status}}")},
				{title: "Share of errors (5xx, and clients that left)", kind: lines, unit: "percentunit",
					queries: q(`(`+by("http_requests_total", `, status=~"5..|000"`, "")+` or vector(0)) / `+by("http_requests_total", "", ""), "errors")},
				{title: "Duration", kind: lines, unit: "s", queries: []query{quantile("0.50"), quantile("0.95"), quantile("0.99")}},
				{title: "Durations", kind: densities, unit: "s", queries: q(`sum by (le) (rate(http_request_duration_seconds_bucket`+chosen+`[$__rate_interval]))`, "{{le}}")},
			}},
			{"By route", []panel{
				{title: "Requests", kind: lines, unit: "reqps", queries: q(`topk(10, `+by("http_requests_total", "", "route")+`)`, "{{route}}")},
				{title: "95th percentile of the duration", kind: lines, unit: "s",
					queries: q(`topk(10, histogram_quantile(0.95, `+by("http_request_duration_seconds_bucket", "", "route, le")+`))`, "{{route}}")},
				{title: "Bytes sent", kind: lines, unit: "Bps", queries: q(`topk(10, `+by("http_response_bytes_total", "", "route")+`)`, "{{route}}")},
				{title: "Answers from the cache", kind: lines, unit: "percentunit", about: "For logs that tell: CloudFront's.",
					queries: q(by("http_requests_total", `, cache=~"(?i)hit|refreshhit"`, "route")+` / `+by("http_requests_total", `, cache!=""`, "route"), "{{route}}")},
			}},
			{"The logs themselves", []panel{
				{title: "Lines", kind: lines, unit: "cps", queries: []query{
					{`sum by (source) (rate(narthex_logs_lines_total[$__rate_interval]))`, "{{source}}"},
					{`sum by (source) (rate(narthex_logs_rejected_lines_total[$__rate_interval]))`, "{{source}}, rejected"},
				}},
				{title: "Late increments", kind: lines, unit: "cps", about: "Requests whose minute was written already; they count in the next one (event_time).",
					queries: q(`rate(narthex_late_increments_total[$__rate_interval])`, "late")},
			}},
		},
	}
}
