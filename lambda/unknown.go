package lambda

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"narthex"
)

// unknown returns the error for an event that is not handled. It names what was
// seen, never what was in it beyond the names of its keys and its source.
func (f *Function) unknown(event []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(event, &keys); err != nil {
		if json.Valid(event) {
			return f.unhandled("an event that is no JSON object")
		}
		return narthex.Errorf(narthex.Invalid, "the event is not JSON: %w", err)
	}
	return f.unhandled(describe(keys))
}

// unhandled says that an event is not handled, and what is.
func (f *Function) unhandled(what string) error {
	var handled []string
	if f.HTTP != nil {
		handled = append(handled, "HTTP requests of a function URL, API Gateway or an Application Load Balancer")
	}
	if f.Queue != nil {
		handled = append(handled, "batches of an SQS queue")
	}
	if f.Object != nil {
		handled = append(handled, "notifications of S3")
	}
	if f.CloudWatch != nil {
		handled = append(handled, "subscriptions of CloudWatch Logs")
	}
	if len(f.Commands) > 0 {
		handled = append(handled, `schedules of EventBridge`, `commands such as {"narthex": "tick"}`)
	}
	if handled == nil {
		handled = []string{"nothing"}
	}
	return narthex.Errorf(narthex.Invalid, "%s is not handled by this function: as it is set up it answers %s; remove the trigger or permission that sends anything else, or see to the function's settings",
		what, strings.Join(handled, "; "))
}

// describe says what an event is, by the shapes in AWS's documentation.
func describe(keys map[string]json.RawMessage) string {
	has := func(names ...string) bool {
		for _, n := range names {
			if _, ok := keys[n]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("Records"):
		if s := describeRecords(keys["Records"]); s != "" {
			return s
		}
	case text(keys["Event"]) == "s3:TestEvent":
		return "an S3 test notification (Event s3:TestEvent)"
	case text(keys["narthex"]) != "":
		return "the command " + strconv.Quote(clip(text(keys["narthex"])))
	case has("awslogs"):
		return "a CloudWatch Logs event (awslogs)"
	case has("deliveryStreamArn", "records"):
		return "a Firehose transformation (deliveryStreamArn; there is nothing for these yet)"
	case has("detail-type", "source"):
		return fmt.Sprintf("an EventBridge event (source %s, detail-type %s)", clip(text(keys["source"])), clip(text(keys["detail-type"])))
	case has("requestContext", "httpMethod"):
		var c struct{ ELB json.RawMessage }
		if err := json.Unmarshal(keys["requestContext"], &c); err == nil && c.ELB != nil {
			return "a request of an Application Load Balancer (requestContext.elb)"
		}
		return "an API Gateway request of payload format 1.0 (httpMethod)"
	}
	return "an event with the keys " + list(slices.Sorted(maps.Keys(keys)))
}

// sources has the name of each sender of records.
var sources = map[string]string{
	"aws:s3":       "an S3 notification",
	"aws:sqs":      "an SQS batch",
	"aws:sns":      "an SNS notification",
	"aws:kinesis":  "a Kinesis batch (there is nothing for these yet)",
	"aws:dynamodb": "a DynamoDB stream",
}

// describeRecords says what sent a list of records, "" if it does not tell. SNS
// alone writes EventSource with a capital letter; encoding/json takes both.
func describeRecords(records json.RawMessage) string {
	var rs []struct {
		EventSource string `json:"eventSource"`
	}
	if err := json.Unmarshal(records, &rs); err != nil || len(rs) == 0 || rs[0].EventSource == "" {
		return ""
	}
	what := sources[rs[0].EventSource]
	if what == "" {
		what = "a list of records"
	}
	return fmt.Sprintf("%s (Records[0].eventSource %s)", what, clip(rs[0].EventSource))
}

// text returns a JSON string's value, "" of anything else.
func text(raw json.RawMessage) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return ""
	}
	return s
}

// list writes the first few names.
func list(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "(none)"
	}
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(clip(n)))
	}
	return b.String()
}

// clip cuts s to a length fit for a message.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
