package accesslog

import (
	"bytes"
	"path"
	"strings"

	"narthex"
)

// The names of the formats, as [Options.Format] and [Report.Format] have them.
const (
	formatCloudFront = "cloudfront"          // w3c and plain
	formatCFJSON     = "cloudfront-json"     // standard logs v2
	formatRealtime   = "cloudfront-realtime" // with Options.Fields
	formatALB        = "alb"
	formatELB        = "elb"
	formatNLB        = "nlb"
	formatS3         = "s3"
	formatGateway    = "apigateway"
	formatLambda     = "lambda"
	formatEMF        = "emf"
	formatCommon     = "common"
	formatJSON       = "json"
)

// A parser makes a request of a line, which is not empty. It returns what of
// the line belongs to the next one (objects without a line feed between), and
// why the line is rejected.
type parser interface {
	parse(line []byte, r *request) (rest []byte, why reason)
}

// refuse returns an error for logs that are not of requests, by their names.
func refuse(name string) error {
	base := path.Base(name)
	switch {
	case strings.HasPrefix(base, "conn_log") || strings.Contains(base, "_conn_log"):
		return narthex.Errorf(narthex.Invalid, "%s: connection logs of an Application Load Balancer tell of connections, not of requests: leave out keys that begin with conn_log", name)
	case strings.HasPrefix(base, "health_check_log") || strings.Contains(base, "_health_check_log"):
		return narthex.Errorf(narthex.Invalid, "%s: health check logs tell of no requests: leave out keys that begin with health_check_log", name)
	case strings.HasSuffix(base, ".parquet"):
		return narthex.Errorf(narthex.Invalid, "%s: Parquet is not read: have the logs delivered as json or w3c", name)
	}
	return nil
}

// foreignName says what a line is that is none of a log of requests but known all the
// same, "" if it is not.
func foreignName(line string) string {
	switch {
	case strings.Contains(line, `"rawPath"`) && strings.Contains(line, `"headers"`):
		return "an event that API Gateway or a function URL sends to a function, not a log"
	case strings.Contains(line, `"metric_stream_name"`):
		return "a CloudWatch metric stream, which has metrics already and tells of no requests"
	case strings.Contains(line, `"records"`) && strings.Contains(line, `"requestId"`), strings.Contains(line, "x-amz-firehose"):
		return "what Firehose delivers over HTTP: the logs are in its records, each in base64; have Firehose write them to S3"
	case strings.Contains(line, `"awslogs"`), strings.Contains(line, `"messageType"`) && strings.Contains(line, `"logEvents"`):
		return "the message of a CloudWatch Logs subscription: the log is in it; the Lambda function takes such messages"
	}
	return ""
}

// parser returns the parser of a format, whose columns are in a fixed order or
// configured.
func (r *Reader) parser(format, name string, report *Report) (parser, error) {
	p, o := &r.plan, &r.options
	switch format {
	case formatCloudFront, formatRealtime:
		if len(o.Fields) == 0 {
			return nil, narthex.Errorf(narthex.Invalid, "%s: the log has no #Fields header: name its columns in fields", name)
		}
		return newTabbed(o.Fields, o, p, report)
	case formatCFJSON:
		return newObjects(cloudFront(), measureRequests, p), nil
	case formatALB:
		return newSpaced(alb(), p, report), nil
	case formatELB:
		return newSpaced(elb(), p, report), nil
	case formatNLB:
		return newSpaced(nlb(), p, report), nil
	case formatS3:
		return newSpaced(s3(), p, report), nil
	case formatGateway:
		return &either{newObjects(apiGateway(), measureRequests, p), newCommon(p, true)}, nil
	case formatLambda:
		return newLambda(name, p, &r.emf), nil
	case formatEMF:
		if r.emf.parser == nil {
			return nil, narthex.Errorf(narthex.Invalid, "%s: there is nothing here that reads the embedded metric format", name)
		}
		return &r.emf, nil
	case formatCommon:
		return newCommon(p, false), nil
	case formatJSON:
		return newObjects(r.mapping, measureRequests, p), nil
	}
	return nil, narthex.Errorf(narthex.Invalid, "the log format %q is not known: there are %s", format, strings.Join(Formats(), ", "))
}

// Formats returns the formats that can be named in [Options.Format].
func Formats() []string {
	return []string{
		formatCloudFront, formatCFJSON, formatRealtime, formatALB, formatELB, formatNLB, formatS3, formatGateway,
		formatLambda, formatEMF, formatCommon, formatJSON,
	}
}

// either reads objects, and lines that are none.
type either struct {
	objects *objects
	common  *common
}

func (e *either) parse(line []byte, r *request) ([]byte, reason) {
	if line[0] == '{' {
		return e.objects.parse(line, r)
	}
	return e.common.parse(line, r)
}

// detect returns the format that a line is of, "" if it is of none.
func (r *Reader) detect(name string, line []byte) string {
	if strings.Contains(name, "/aws/lambda/") {
		return formatLambda
	}
	if line[0] == '{' {
		return r.detectObject(line)
	}
	if tabs := bytes.Count(line, []byte{'\t'}); len(r.options.Fields) > 0 && (tabs > 0 || r.options.Delimiter != "") {
		return formatRealtime
	}
	if isLambda(line) {
		return formatLambda
	}
	var words [4][]byte
	rest := line
	for i := range words {
		words[i], rest, _ = token(rest, false)
	}
	_, iso := isoMillis(words[0])
	_, iso2 := isoMillis(words[1])
	switch kind := string(words[0]); {
	case kind == "tls" && len(words[2]) >= 19:
		return formatNLB
	case iso2 && bytes.IndexByte(words[2], '/') > 0 && contains([]string{"http", "https", "h2", "grpcs", "ws", "wss"}, kind):
		return formatALB
	case iso && words[2] != nil && bytes.IndexByte(words[2], ':') > 0 && bytes.Count(line, []byte{'"'}) >= 2:
		return formatELB
	case len(words[0]) == 64 && clfTime(words[2]):
		return formatS3
	}
	if at := bytes.Index(line, []byte(" [")); at > 0 && at < 500 && len(line) > at+22 && clfTime(line[at+2:]) {
		return formatCommon
	}
	return ""
}

func clfTime(b []byte) bool {
	_, ok := clfMillis(b[:min(len(b), 26)])
	return ok
}

// isLambda reports whether a line is of a kind that every invocation makes.
func isLambda(line []byte) bool {
	for _, s := range []string{"START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_START "} {
		if at := bytes.Index(line, []byte(s)); at >= 0 && at <= 40 {
			return true
		}
	}
	return false
}

// detectObject tells JSON lines apart by their keys.
func (r *Reader) detectObject(line []byte) string {
	has := func(key string) bool {
		at := bytes.Index(line, append(append([]byte{'"'}, key...), '"'))
		return at > 0 && bytes.IndexByte([]byte{'{', ',', ' ', '\t'}, line[at-1]) >= 0
	}
	switch {
	case has("_aws") && has("CloudWatchMetrics"):
		if r.emf.parser == nil {
			return ""
		}
		return formatEMF
	case bytes.Contains(line, []byte(`"platform.`)) && has("type"):
		return formatLambda
	case len(r.options.Mapping) > 0:
		return formatJSON
	case has("cs-uri-stem") || has("x-edge-location") || has("x-edge-request-id") || has("sc-status") || has("cs-method") || has("cs(Host)"):
		return formatCFJSON
	case has("rawPath") && has("requestContext") || has("requestContext") && has("multiValueHeaders"):
		return "" // an event
	case has("routeKey") || has("resourcePath") || has("httpMethod") && has("status"):
		return formatGateway
	case has("status") && (has("request_uri") || has("request") || has("request_method") || has("uri") || has("path") || has("url")):
		return formatJSON
	}
	return ""
}
