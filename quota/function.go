package quota

import "time"

// The quotas of Lambda and of what is around it.
//
// Sources: AWS Lambda Developer Guide, "Lambda quotas"; Amazon SQS Developer
// Guide, "Message quotas"; Amazon EventBridge, "Schedule types"; Amazon S3 User
// Guide, "Optimizing performance"; Amazon DynamoDB Developer Guide, "Quotas".
const (
	payload      = 6 << 20
	message      = 1 << 20
	schedule     = time.Minute
	delay        = 15 * time.Minute
	putsASecond  = 3500 // of one prefix
	item         = 400 << 10
	seriesBytes  = 43 // of a series in a saved state (docs/benchmarks.md)
	lambdaQuotas = "AWS Lambda quotas, " + Date
	sqsQuotas    = "Amazon SQS message quotas, " + Date
	ruleQuotas   = "Amazon EventBridge schedules, " + Date
	s3Quotas     = "Amazon S3, request rates, " + Date
	dynamoQuotas = "Amazon DynamoDB quotas, " + Date
)

func function(u Use) []Finding {
	groups := max(1, u.Groups)
	out := []Finding{
		// A binary body arrives as base64, four bytes for three.
		number(Finding{Quota: "body of a request, as base64", Setting: "limits.body", Source: lambdaQuotas,
			Then: "AWS answers 413 before narthex is asked", Remedy: "compress pushes (what counts is the compressed body), or make them smaller"},
			float64(u.Body)*4/3, payload, " bytes"),
	}
	if u.Queue && !u.Bodies {
		out = append(out, number(Finding{Quota: "message of the queue", Setting: "limits.body", Source: sqsQuotas,
			Then: "larger pushes are refused", Remedy: "give lambda.bodies, a place in S3 for them"}, float64(u.Body), message, " bytes"))
	}
	if u.Interval > 0 && u.Interval < schedule {
		if u.Delayed {
			out = append(out, span(Finding{Quota: "delay of a message", Setting: "scrape_interval", Source: sqsQuotas}, u.Interval, delay))
		} else {
			f := span(Finding{Quota: "distance of schedules", Setting: "scrape_interval", Source: ruleQuotas,
				Then: "totals are written once a minute", Remedy: "give lambda.schedule_queue, whose delayed messages make the ticks between"}, u.Interval, schedule)
			f.Share = float64(schedule) / float64(u.Interval)
			out = append(out, f)
		}
	}
	if u.DynamoDB {
		return append(out, number(Finding{Quota: "size of an item", Setting: "limits.series / lambda.groups", Source: dynamoQuotas,
			Then: "the totals can't be saved", Remedy: "spread them over more groups, or keep them in S3"},
			float64(u.Series)*seriesBytes/float64(groups), item, " bytes"))
	}
	if u.Interval > 0 {
		out = append(out, number(Finding{Quota: "writes a second below one prefix", Setting: "lambda.groups / scrape_interval", Source: s3Quotas,
			Then: "S3 answers 503, and ticks take longer", Remedy: "fewer groups, or a longer scrape_interval"},
			float64(groups)/u.Interval.Seconds(), putsASecond, "/s"))
	}
	return out
}
