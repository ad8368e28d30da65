package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// lambdaIdle are settings that mean nothing in the Lambda function and do no
// harm there, each with the reason.
var lambdaIdle = []struct{ path, why string }{
	{"listen", "requests come in through a function URL, API Gateway or a load balancer"},
	{"data", "a function has no disk that stays: ledger.state says where the totals are"},
	{"storage.retention", "there is no embedded store: remote_write has the samples"},
	{"storage.out_of_order_time_window", "there is no embedded store: remote_write has the samples"},
	{"hosts", "what is before the function checks the name that was asked for"},
}

// lambdaRefused are settings that the Lambda function can't do as the file says,
// each with the reason and what to do.
var lambdaRefused = []struct{ path, why string }{
	{"scrape_configs", "nothing runs between invocations, so nothing scrapes: narthex agent does"},
	{"web_config_file", "TLS is before the function, and passwords are not for it: use auth.tokens, which are taken as passwords too"},
	{"auth.users", "there is no web configuration file here: use auth.tokens, which are taken as passwords too"},
}

// ForLambda checks the configuration for the Lambda function and returns what it
// says that has no effect there. The error is all that the function can't do.
func (c *Config) ForLambda() (notes []string, err error) {
	var problems []error
	at := func(path, format string, args ...any) error {
		return &Error{File: cmp.Or(c.given[path], c.name), Line: c.set[path], Msg: path + ": " + fmt.Sprintf(format, args...)}
	}
	for _, x := range lambdaIdle {
		if c.has(x.path) && !(c.Storage.None && strings.HasPrefix(x.path, "storage.")) { // storage: none is right here
			notes = append(notes, at(x.path, "it has no effect in the function: %s", x.why).Error())
		}
	}
	for _, x := range lambdaRefused {
		if c.has(x.path) {
			problems = append(problems, at(x.path, "the function can't do this: %s", x.why))
		}
	}
	for i, s := range c.Logs {
		if !strings.HasPrefix(s.From, "s3://") && !strings.HasPrefix(s.From, "cloudwatch:") {
			problems = append(problems, at("logs", "[%d]: the function is told of logs by S3 and CloudWatch Logs: want from s3://bucket/prefix or cloudwatch:PREFIX, not %q", i, s.From))
		}
	}
	l := &c.Lambda
	switch {
	case l.Relay.URL != "" && (c.Ledger.State != "" || l.Queue != ""):
		problems = append(problems, at("lambda.relay.url", "it hands pushes to another narthex, ledger.state and lambda.queue keep them here: give one or the other"))
	case l.Relay.URL != "":
	case slices.Equal(l.Roles, []string{"probe"}): // it may be asked by whoever keeps the answers
		if len(c.Probes.Targets) > 0 && len(c.RemoteWrite) == 0 {
			problems = append(problems, at("probes.targets", "there is no remote_write: say where the results go, or have a Prometheus ask for them (GET /probe)"))
		}
		if len(c.Probes.Targets) > 0 && c.Ledger.State == "" && l.Queue == "" {
			notes = append(notes, at("ledger.state", "without it, and without lambda.queue, probes are not counted (probe_all_…), and series of targets that leave have no stale markers").Error())
		}
	case c.Ledger.State == "" && l.Queue == "":
		problems = append(problems, at("ledger.state", "say where the totals are, such as s3://bucket/prefix; or give lambda.queue, if this function only sends pushes there; or lambda.relay.url, if another narthex has the ledger"))
	case l.Direct() && c.Ledger.State == "":
		problems = append(problems, at("lambda.mode", "in direct mode ledger.state has to say where the totals are, such as s3://bucket/prefix"))
	case l.Mode == "queue" && l.Queue == "":
		problems = append(problems, at("lambda.mode", "in queue mode lambda.queue has to be the URL of an SQS queue"))
	}
	if l.Bodies != "" && l.Queue == "" {
		notes = append(notes, at("lambda.bodies", "it has no effect without lambda.queue").Error())
	}
	if d := c.Tick(); d < time.Minute && l.ScheduleQueue == "" && c.Ledger.State != "" {
		notes = append(notes, at("scrape_interval", "%s without lambda.schedule_queue: ticks come as often as something sends {\"narthex\": \"tick\"}, and a schedule comes each minute at most", FormatDuration(d)).Error())
	}
	return notes, errors.Join(problems...)
}

// has reports whether something gives the setting.
func (c *Config) has(path string) bool { return c.set[path] > 0 || c.given[path] != "" }

// Tick is how far the Lambda function's ticks are apart: scrape_interval, or a
// minute, which is how often a schedule comes, if nothing says otherwise.
func (c *Config) Tick() time.Duration {
	if c.has("scrape_interval") {
		return c.ScrapeInterval
	}
	return time.Minute
}
