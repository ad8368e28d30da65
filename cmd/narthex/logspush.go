package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/logs"
	"narthex/push"
	"narthex/state"
)

// logsPushed is what pushing logs came to.
type logsPushed struct {
	Logs       int           `json:"logs"`
	Duplicates int           `json:"duplicates"` // of the logs
	Lines      int64         `json:"lines"`
	Counted    int64         `json:"counted"`
	Rejected   int64         `json:"rejected"`
	Refused    int           `json:"refused_series"`
	Problems   []logsProblem `json:"problems,omitempty"`
}

// seriesPerPush keeps a push of histograms with a hundred buckets below the size
// that is taken without configuration.
const seriesPerPush = 2000

// push pushes the logs to another narthex.
func (o *logsFlags) push(ctx context.Context, names []string, so logs.Options, t terminal) error {
	client := &push.Client{URL: o.to, HTTP: withToken(os.Getenv("NARTHEX_TOKEN"))}
	so.MaxSeries = seriesPerPush
	so.Sink = o.sink(client)
	so.Known = func(ctx context.Context, _, id string) (bool, error) { return client.Known(ctx, id), nil }
	so.Logger = slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if o.follow {
		return o.followTo(ctx, names[0], so)
	}
	source, err := logs.New(ctx, so)
	if err != nil {
		return usageError("%v", err)
	}
	var done logsPushed
	s := &logsSummary{}
	err = o.each(ctx, names, t.in, func(ctx context.Context, l logInput) error {
		object := logs.Object{ID: l.id, Name: l.name, Body: l.body}
		if l.id == "" {
			h := sha256.New()
			object.Body = io.TeeReader(l.body, h)
			object.IDOf = func() (string, bool) { return "content:" + hex.EncodeToString(h.Sum(nil)), false }
		}
		r, err := source.Object(ctx, object)
		if err != nil {
			return err
		}
		done.Logs++
		if r.Duplicate {
			done.Duplicates++
		} else {
			done.Lines, done.Counted, done.Rejected = done.Lines+r.Report.Lines, done.Counted+r.Report.Counted, done.Rejected+r.Report.Rejected
		}
		if done.Refused += len(r.Rejected); len(r.Rejected) > 0 {
			return narthex.Errorf(narthex.Invalid, "%d series were refused, the first: %s: %s", len(r.Rejected), r.Rejected[0].Series, r.Rejected[0].Reason)
		}
		return nil
	}, s)
	if done.Problems = s.Problems; o.output == "json" {
		text, _ := json.MarshalIndent(done, "", "  ") // plain data
		fmt.Fprintf(t.out, "%s\n", text)
		return err
	}
	fmt.Fprintf(t.out, "%s pushed", plural(done.Logs-done.Duplicates, "log"))
	if done.Duplicates > 0 {
		fmt.Fprintf(t.out, ", %s counted before", plural(done.Duplicates, "log"))
	}
	fmt.Fprintf(t.out, ": %d lines counted, %d rejected\n", done.Counted, done.Rejected)
	return err
}

// sink pushes entries. One that was counted before under other routes or metrics
// is a duplicate all the same: it is the same log.
func (o *logsFlags) sink(client *push.Client) narthex.Sink {
	return narthex.SinkFunc(func(ctx context.Context, b *narthex.Batch) error {
		if client.Known(ctx, b.ID) {
			b.Duplicate = true
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		err := client.Write(ctx, b)
		if narthex.KindOf(err) == narthex.Conflict {
			b.Duplicate, err = true, nil
		}
		return err
	})
}

// followTo follows one place until the context ends.
func (o *logsFlags) followTo(ctx context.Context, name string, so logs.Options) (err error) {
	if so.Keep, err = state.OpenFile(filepath.Join(o.data, "state")); err != nil {
		return err
	}
	source, err := logs.New(ctx, so)
	if err != nil {
		return usageError("%v", err)
	}
	if strings.HasPrefix(name, "s3://") {
		session, err := aws.Open(aws.Options{})
		if err != nil {
			return err
		}
		b, err := logs.NewBucket(ctx, source, session.S3(), name, o.since)
		if err != nil {
			return err
		}
		b.Run(ctx, time.Minute)
		return nil
	}
	f, err := logs.NewFollower(ctx, source, logs.FollowOptions{From: name, Since: o.since})
	if err != nil {
		return err
	}
	f.Run(ctx, time.Second)
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
