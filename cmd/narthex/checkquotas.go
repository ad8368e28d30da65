package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"narthex/config"
	"narthex/quota"
)

// quotas writes how much of what AWS allows a configuration may want, if it has
// to do with AWS at all.
func quotas(w io.Writer, u quota.Use) error {
	findings := quota.Check(u)
	if len(findings) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nquotas of AWS (%s) and how much of each this may want; %s comes first:\n", quota.Date, findings[0].Quota)
	for _, f := range findings {
		mark := " "
		if !f.Fits() {
			mark = "!"
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "%s %5.0f%%  %s\n", mark, f.Share*100, f)
		}
	}
	return err
}

// use is what a configuration may want: its limits, or series, if that is not 0.
func use(c *config.Config, series int, retention time.Duration) quota.Use {
	u := quota.Use{
		Series: series, Interval: c.ScrapeInterval, Retention: retention,
		LabelsPerSeries: c.Limits.LabelsPerSeries, LabelNameLength: c.Limits.LabelNameLength, LabelValueLength: c.Limits.LabelValueLength,
		UTF8Names: c.UTF8Names, Body: c.Limits.Body,
		Lambda: c.Ledger.State != "" || c.Lambda.Queue != "" || len(c.Lambda.Roles) > 0,
		Queue:  !c.Lambda.Direct(), Bodies: c.Lambda.Bodies != "", Delayed: c.Lambda.ScheduleQueue != "",
		DynamoDB: strings.HasPrefix(c.Ledger.State, "dynamodb:"), Groups: c.Lambda.Groups,
	}
	if series == 0 {
		u.Series = c.Limits.Series
	}
	if u.Lambda {
		u.Interval = c.Tick()
	}
	for _, w := range c.RemoteWrite {
		if amazonManaged(w.URL) {
			u.Amazon, u.RemoteWrite2 = true, u.RemoteWrite2 || w.Version == 2
		}
	}
	for _, l := range c.Logs {
		if l.EventTime {
			u.Age = max(u.Age, l.Lateness)
		}
	}
	return u
}

// amazonManaged reports whether an address is of Amazon Managed Prometheus.
func amazonManaged(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.HasPrefix(u.Hostname(), "aps-workspaces.")
}
