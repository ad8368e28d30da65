package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"narthex/config"
)

// A secret that is kept elsewhere is asked for by its reference, wherever the
// reference comes from, and is never shown.
func TestSecretsByReference(t *testing.T) {
	var asked []string
	in := config.Input{
		Name: "narthex.yml", Data: []byte(`
remote_write:
  - {url: https://a.example/write, basic_auth: {username: me, password: "secretsmanager:db#password"}}
  - {url: https://b.example/write, authorization: {credentials: "${TOKEN}"}}
  - {url: https://c.example/write, authorization: {credentials: "plain$$"}}
`),
		Env: func(name string) (string, bool) { return "ssm:/narthex/" + strings.ToLower(name), true },
		Secret: func(ref string) (string, error) {
			asked = append(asked, ref)
			return "s3cret of " + ref, nil
		},
		Overrides: []config.Override{{From: "NARTHEX_UPSTREAM_AUTHORIZATION", Path: "lambda.relay.authorization", Value: "ssm:/relay"}},
	}
	c, err := config.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	got := []config.Secret{c.RemoteWrite[0].HTTP.Password, c.RemoteWrite[1].HTTP.Credentials, c.RemoteWrite[2].HTTP.Credentials, c.Lambda.Relay.Authorization}
	for i, want := range []string{"s3cret of secretsmanager:db#password", "s3cret of ssm:/narthex/token", "plain$", "s3cret of ssm:/relay"} {
		if string(got[i]) != want {
			t.Errorf("secret %d is %q, want %q", i, string(got[i]), want)
		}
	}
	if len(asked) != 3 {
		t.Errorf("asked for %v", asked)
	}
	if text := fmt.Sprintf("%v %+v", c, c); strings.Contains(text, "s3cret") {
		t.Error("the configuration shows a secret when it is printed")
	}
	in.Secret = func(string) (string, error) { return "", errors.New("ssm GetParameter: 400 ParameterNotFound") }
	_, err = config.Read(in)
	for _, want := range []string{"narthex.yml:3: remote_write[0].basic_auth.password: ssm GetParameter: 400 ParameterNotFound", "NARTHEX_UPSTREAM_AUTHORIZATION: lambda.relay.authorization: ssm"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
	in.Secret = nil // narthex check only looks
	if c, err = config.Read(in); err != nil || c.Lambda.Relay.Authorization != "ssm:/relay" {
		t.Errorf("without a store of secrets: %v, %v", c, err)
	}
}

// A setting from elsewhere comes after the file's, is checked as that is, and is
// named by where it is from.
func TestOverrides(t *testing.T) {
	read := func(file string, list ...config.Override) (*config.Config, error) {
		return config.Read(config.Input{Name: "n.yml", Data: []byte(file), Overrides: list})
	}
	c, err := read("scrape_interval: 30s\nlambda: {groups: 2}", config.Override{From: "NARTHEX_INTERVAL", Path: "scrape_interval", Value: "5s", YAML: false},
		config.Override{From: "NARTHEX_LOGS", Path: "logs", Value: `[{"source": "a", "from": "s3://b/"}]`, YAML: true})
	if err != nil || c.ScrapeInterval != 5*time.Second || c.Lambda.Groups != 2 || len(c.Logs) != 1 || c.Logs[0].From != "s3://b/" {
		t.Errorf("%+v, %v", c, err)
	}
	var b strings.Builder
	if err := c.Explain(&b); err != nil || !strings.Contains(b.String(), "5s") || !strings.Contains(b.String(), "NARTHEX_INTERVAL") {
		t.Errorf("explained as %s, %v", b.String(), err)
	}
	for _, x := range []struct {
		o    config.Override
		want string
	}{
		{config.Override{From: "NARTHEX_GROUPS", Path: "lambda.groups", Value: "257", YAML: false}, "NARTHEX_GROUPS: lambda.groups: 257 is above 256"},
		{config.Override{From: "NARTHEX_INTERVAL", Path: "scrape_interval", Value: "1h", YAML: false}, "NARTHEX_INTERVAL: scrape_interval: 1h is above 5m"},
		{config.Override{From: "NARTHEX_MODE", Path: "lambda.mode", Value: "both", YAML: false}, `NARTHEX_MODE: lambda.mode: "both" is not known`},
		{config.Override{From: "NARTHEX_QUEUE", Path: "lambda.queue", Value: "https://u:hunter2@sqs/x", YAML: false}, "NARTHEX_QUEUE: lambda.queue: it has a user in it"},
		{config.Override{From: "NARTHEX_QUEUE", Path: "lambda.queue", Value: "hunter2", YAML: false}, "NARTHEX_QUEUE: lambda.queue: it is not an address such as https://sqs"},
		{config.Override{From: "NARTHEX_LOGS", Path: "logs", Value: "[{", YAML: true}, "NARTHEX_LOGS: this is not YAML"},
		{config.Override{From: "X", Path: "nothing", Value: "", YAML: false}, "X: there is no setting nothing"},
		{config.Override{From: "NARTHEX_INTERVAL", Path: "scrape_interval", Value: "3m", YAML: false}, "must not be above ledger.heartbeat"},
	} {
		if _, err := read("", x.o); err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v, want %q", x.o, err, x.want)
		}
	}
}

func TestForLambda(t *testing.T) {
	for _, x := range []struct{ file, want string }{
		{"ledger: {state: s3://b/p}", ""},
		{"ledger: {state: file:x}\nlambda: {mode: direct}", ""},
		{"lambda: {queue: https://sqs/q}", ""},
		{"lambda: {relay: {url: https://n.example}}", ""},
		{"", "n.yml: ledger.state: say where the totals are"},
		{"lambda: {queue: https://sqs/q, mode: direct}", "n.yml:1: lambda.mode: in direct mode ledger.state has to say"},
		{"ledger: {state: s3://b}\nlambda: {mode: queue}", "n.yml:2: lambda.mode: in queue mode lambda.queue has to be"},
		{"ledger: {state: s3://b}\nlambda: {relay: {url: https://n.example}}", "give one or the other"},
		{"ledger: {state: s3://b}\nscrape_configs: [{job_name: a, static_configs: [{targets: [a]}]}]", "n.yml:2: scrape_configs: the function can't do this"},
		{"ledger: {state: s3://b}\nweb_config_file: web.yml", "use auth.tokens"},
		{"ledger: {state: s3://b}\nlogs: [{source: a, from: /var/log}]", `not "/var/log"`},
	} {
		c, err := config.Parse("n.yml", []byte(x.file), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ForLambda()
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s: %v, want %q", x.file, err, x.want)
		}
	}
	c, err := config.Parse("n.yml", []byte("ledger: {state: s3://b}\nlisten: 127.0.0.1:1\nscrape_interval: 15s\nlambda: {bodies: s3://b/x}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := c.ForLambda()
	if text := strings.Join(notes, "\n"); err != nil || len(notes) != 3 || !strings.Contains(text, "n.yml:2: listen: it has no effect") || !strings.Contains(text, "15s without lambda.schedule_queue") {
		t.Errorf("%v, %v", notes, err)
	}
	none, err := config.Parse("n.yml", []byte("storage: none\nremote_write: [{url: https://a.example}]\nledger: {state: s3://b}\nlisten: 127.0.0.1:1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if notes, err := none.ForLambda(); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "listen") {
		t.Errorf("without a store: %v, %v", notes, err)
	}
	if d := c.Tick(); d != 15*time.Second {
		t.Errorf("the tick is %v", d)
	}
	if d := config.Default().Tick(); d != time.Minute {
		t.Errorf("the default tick is %v", d)
	}
}
