package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// narthex invoke answers events in its process by a configuration, and its exit
// codes tell what became of them.
func TestInvoke(t *testing.T) {
	dir := t.TempDir()
	rec := newRecorder(t, "")
	file := filepath.Join(dir, "narthex.yml")
	config := fmt.Sprintf("ledger: {state: \"file:%s\"}\nremote_write: [{url: %s}]\nscrape_interval: 1s\nlambda: {telemetry: false}\n", filepath.Join(dir, "state"), rec.url)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	const request = `{"version":"2.0","rawPath":"/api/v1/push","headers":{"content-type":"application/json"},"body":%q,
		"requestContext":{"authorizer":{"iam":{"userArn":"arn:aws:iam::123456789012:user/x","accountId":"123456789012"}},"http":{"method":"POST","sourceIp":"192.0.2.1"}}}`
	event := filepath.Join(dir, "event.json")
	if err := os.WriteFile(event, fmt.Appendf(nil, request, `{"id":"i-1","counters":[{"name":"invoked_total","add":2}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stdin, arg, config, want string
		code                     int
	}{
		{"", event, file, `\"status\":\"accepted\"`, 0},
		{"", event, file, `\"status\":\"duplicate\"`, 0},
		{`{"narthex":"tick"}`, "-", file, `"samples"`, 0},
		{fmt.Sprintf(request, "{"), "-", file, `"statusCode": 400`, 3},
		{`{"Records":[{"messageId":"m-1","body":"x","eventSource":"aws:sqs"}]}`, "-", file, `"itemIdentifier": "m-1"`, 1},
		{`{"a":1}`, "-", file, "", 3},
		{`{"narthex":"tick"}`, "-", "ledger: {state: \"file:" + dir + "/other\"}", "", 4}, // no destination
		{`{"narthex":"tick"}`, "-", "ledger: {colour: red}", "", 2},
		{"", filepath.Join(dir, "none.json"), file, "", 2},
	} {
		out, code := command(t, c.stdin, "invoke", "--config", c.config, c.arg)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s %.40s: exit %d, %s; want %d and %q", c.arg, c.stdin, code, out, c.code, c.want)
		}
	}
	if v := rec.values["invoked_total"]; len(v) == 0 {
		t.Error("nothing was written")
	}
}
