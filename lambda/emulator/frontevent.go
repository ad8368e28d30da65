package emulator

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// event2 is the event of payload format 2.0.
//
// Source: "Invoking Lambda function URLs" and "Create Lambda proxy integrations
// for HTTP APIs". A function URL hands the path on as it came, an HTTP API
// decoded and with the name of its stage, if it has one.
func (o *front) event2(r *http.Request, body []byte, caller *Caller) map[string]any {
	now := time.Now().UTC()
	stage, rawPath := "$default", r.URL.EscapedPath()
	domain := "emulator.lambda-url." + o.f.o.Region + ".on.aws"
	if o.Kind == HTTPAPI {
		domain = "emulator.execute-api." + o.f.o.Region + ".amazonaws.com"
		rawPath = r.URL.Path
		if o.Stage != "" && o.Stage != stage {
			stage, rawPath = o.Stage, "/"+o.Stage+rawPath
		}
	}
	account := Account
	context := map[string]any{
		"apiId": "emulator", "domainName": domain, "domainPrefix": "emulator", "requestId": newID(), "routeKey": "$default", "stage": stage,
		"time": now.Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
		"http": map[string]any{"method": r.Method, "path": rawPath, "protocol": r.Proto, "sourceIp": source(r), "userAgent": r.UserAgent()},
	}
	if caller != nil {
		context["authorizer"] = map[string]any{"iam": caller.event()}
	} else if o.Kind == FunctionURL {
		account = "anonymous"
	}
	context["accountId"] = account
	headers := make(map[string]string)
	for name, values := range forwarded(r) {
		if name != "cookie" {
			headers[name] = strings.Join(values, ",")
		}
	}
	e := map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": rawPath, "rawQueryString": r.URL.RawQuery,
		"headers": headers, "requestContext": context, "isBase64Encoded": false,
	}
	if cookies := cookies(r); len(cookies) > 0 {
		e["cookies"] = cookies
	}
	if query := r.URL.Query(); len(query) > 0 {
		joined := make(map[string]string, len(query))
		for name, values := range query {
			joined[name] = strings.Join(values, ",")
		}
		e["queryStringParameters"] = joined
	}
	if len(body) > 0 {
		e["body"], e["isBase64Encoded"] = encodeBody(body, !isText(r) || !utf8.Valid(body))
	}
	return e
}

func (c *Caller) event() map[string]any {
	e := map[string]any{
		"accessKey": c.AccessKey, "accountId": c.AccountID, "callerId": c.UserID, "userArn": c.ARN, "userId": c.UserID,
	}
	if c.OrgID != "" {
		e["principalOrgId"] = c.OrgID
	}
	return e
}

// restEvent is the event of payload format 1.0.
//
// Source: "Lambda proxy integrations in API Gateway", input format.
func (o *front) restEvent(r *http.Request, body []byte, caller *Caller) map[string]any {
	now, stage := time.Now().UTC(), o.Stage
	if stage == "" {
		stage = "prod"
	}
	all := make(map[string][]string)
	for name, values := range forwarded(r) {
		all[http.CanonicalHeaderKey(name)] = values
	}
	identity := map[string]any{"sourceIp": source(r), "userAgent": r.UserAgent(), "accessKey": nil, "accountId": nil, "caller": nil, "user": nil, "userArn": nil}
	if caller != nil {
		identity["accessKey"], identity["accountId"] = caller.AccessKey, caller.AccountID
		identity["caller"], identity["user"], identity["userArn"] = caller.UserID, caller.UserID, caller.ARN
	}
	domain := "emulator.execute-api." + o.f.o.Region + ".amazonaws.com"
	e := map[string]any{
		"resource": "/{proxy+}", "path": r.URL.Path, "httpMethod": r.Method, "headers": last(all), "multiValueHeaders": all,
		"queryStringParameters": nil, "multiValueQueryStringParameters": nil,
		"pathParameters": map[string]string{"proxy": strings.TrimPrefix(r.URL.Path, "/")}, "stageVariables": nil,
		"requestContext": map[string]any{
			"accountId": Account, "apiId": "emulator", "domainName": domain, "domainPrefix": "emulator", "httpMethod": r.Method,
			"identity": identity, "path": "/" + stage + r.URL.Path, "protocol": r.Proto, "requestId": newID(), "resourcePath": "/{proxy+}",
			"requestTime": now.Format("02/Jan/2006:15:04:05 -0700"), "requestTimeEpoch": now.UnixMilli(), "stage": stage,
		},
		"body": nil, "isBase64Encoded": false,
	}
	if query := r.URL.Query(); len(query) > 0 {
		e["queryStringParameters"], e["multiValueQueryStringParameters"] = last(query), query
	}
	if len(body) > 0 {
		e["body"], e["isBase64Encoded"] = encodeBody(body, o.binary(r.Header.Get("Content-Type")))
	}
	return e
}

// albEvent is the event of a load balancer. It does not decode the query.
//
// Source: "Lambda functions as targets", Elastic Load Balancing.
func (o *front) albEvent(r *http.Request, body []byte) map[string]any {
	headers, query := forwarded(r), rawQuery(r.URL.RawQuery)
	e := map[string]any{
		"requestContext": map[string]any{"elb": map[string]any{
			"targetGroupArn": "arn:aws:elasticloadbalancing:" + o.f.o.Region + ":" + Account + ":targetgroup/emulator/0123456789abcdef"}},
		"httpMethod": r.Method, "path": r.URL.EscapedPath(), "isBase64Encoded": false,
	}
	if o.MultiValue {
		e["multiValueHeaders"], e["multiValueQueryStringParameters"] = headers, query
	} else {
		e["headers"], e["queryStringParameters"] = last(headers), last(query)
	}
	e["body"], e["isBase64Encoded"] = encodeBody(body, len(body) > 0 && !isText(r))
	return e
}

// rawQuery takes a query apart and decodes nothing.
func rawQuery(raw string) map[string][]string {
	out := make(map[string][]string)
	for _, part := range strings.Split(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out[name] = append(out[name], value)
	}
	return out
}

// forwarded returns the headers by their names in lower case, with those that a
// front adds.
func forwarded(r *http.Request) map[string][]string {
	out := make(map[string][]string, len(r.Header)+5)
	for name, values := range r.Header {
		out[strings.ToLower(name)] = slices.Clone(values)
	}
	out["host"] = []string{r.Host}
	root, _, _ := strings.Cut(newTrace(), ";")
	out["x-amzn-trace-id"] = []string{root}
	out["x-forwarded-for"] = []string{strings.Join(append(r.Header.Values("X-Forwarded-For"), source(r)), ", ")}
	out["x-forwarded-port"], out["x-forwarded-proto"] = []string{"443"}, []string{"https"}
	return out
}

// cookies returns the cookies as they were sent.
func cookies(r *http.Request) (list []string) {
	for _, line := range r.Header.Values("Cookie") {
		for _, c := range strings.Split(line, ";") {
			if c = strings.TrimSpace(c); c != "" {
				list = append(list, c)
			}
		}
	}
	return list
}

func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// last returns the last value of each.
func last[M ~map[string][]string](all M) map[string]string {
	out := make(map[string]string, len(all))
	for name, values := range all {
		if len(values) > 0 {
			out[name] = values[len(values)-1]
		}
	}
	return out
}

// isText reports whether a body is handed on as text: by its type, unless it is
// compressed. Source: the ALB's documentation; payload format 2.0 is observed to
// do the same.
func isText(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.Header.Get("Content-Encoding") != "" {
		return false
	}
	switch kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// binary reports whether a media type is among a REST API's binary ones.
func (o *front) binary(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = contentType
	}
	return slices.ContainsFunc(o.BinaryTypes, func(pattern string) bool {
		if pattern == "*/*" || pattern == kind {
			return true
		}
		ok, err := path.Match(pattern, kind)
		return err == nil && ok
	})
}

// encodeBody writes a body into JSON. Text that is not UTF-8 loses what is not.
func encodeBody(body []byte, binary bool) (text string, encoded bool) {
	if binary {
		return base64.StdEncoding.EncodeToString(body), true
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), false
}
