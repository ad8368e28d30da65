package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"narthex"
	"narthex/internal/aws"
	"narthex/logs"
)

// logInput is a log to be read.
type logInput struct {
	name string
	body io.Reader
	id   string // "" if it is the content's hash
}

// logsProblem is a log that could not be read.
type logsProblem struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// each calls do with each log that the names stand for. A log that can't be read
// does not keep the others from being read; the error is the worst of them, with
// its exit code.
func (o *logsFlags) each(ctx context.Context, names []string, stdin io.Reader, do func(context.Context, logInput) error, s *logsSummary) error {
	code := exitOK
	note := func(name string, err error, c int) {
		s.Problems = append(s.Problems, logsProblem{name, err.Error()})
		code = max(code, c)
	}
	take := func(l logInput) {
		var coded *exitError
		switch err := do(ctx, l); {
		case err == nil:
		case errors.As(err, &coded):
			note(l.name, err, coded.code)
		case narthex.KindOf(err) == narthex.Unavailable:
			note(l.name, err, exitUnavailable)
		default: // of no known format, damaged, cut off, refused
			note(l.name, err, exitRejected)
		}
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		switch {
		case name == "-":
			take(logInput{name: "standard input", body: stdin})
		case strings.HasPrefix(name, "s3://"):
			err = o.bucket(ctx, name, take)
		default:
			err = o.files(name, take)
		}
		if err != nil {
			note(name, err, exitFailed)
		}
	}
	if code == exitOK {
		return nil
	}
	first := s.Problems[0]
	err := errors.New(first.Error)
	if !strings.Contains(first.Error, first.Name) {
		err = fmt.Errorf("%s: %s", first.Name, first.Error)
	}
	if n := len(s.Problems); n > 1 {
		err = fmt.Errorf("%d logs were not counted; the first: %w", n, err)
	}
	return &exitError{code, err}
}

// files opens the files that a name stands for.
func (o *logsFlags) files(name string, take func(logInput)) error {
	paths, err := logs.Files(name)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("%s: there is no such file", name)
	}
	var all error
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && o.since > 0 && time.Since(info.ModTime()) > o.since {
			continue
		}
		file, err := os.Open(path)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		take(logInput{name: path, body: file})
		file.Close()
	}
	return all
}

// bucket opens the objects below an address, or the one that it names.
func (o *logsFlags) bucket(ctx context.Context, address string, take func(logInput)) error {
	bucket, prefix, ok := logs.ParseS3(address)
	if !ok {
		return fmt.Errorf("%s: want s3://bucket/prefix", address)
	}
	session, err := aws.Open(aws.Options{})
	if err != nil {
		return err
	}
	s3, found := session.S3(), 0
	for info, err := range s3.All(ctx, bucket, aws.ListOptions{Prefix: prefix}) {
		if err != nil {
			return err
		}
		if info.Size == 0 || o.since > 0 && time.Since(info.Modified) > o.since {
			continue
		}
		found++
		body, info, err := s3.Open(ctx, bucket, info.Key, aws.GetOptions{})
		if err != nil {
			return err
		}
		take(logInput{name: "s3://" + bucket + "/" + info.Key, body: body, id: logs.S3ID(bucket, info.Key, info.ETag)})
		body.Close()
	}
	if found == 0 {
		return fmt.Errorf("%s: there is no such object", address)
	}
	return nil
}

// size returns how many bytes there are to be read, 0 if it can't be told. What
// can't be opened is told by whoever reads it.
func (o *logsFlags) size(ctx context.Context, names []string) (sum int64) {
	for _, name := range names {
		bucket, prefix, remote := logs.ParseS3(name)
		if !remote {
			paths, _ := logs.Files(name)
			for _, path := range paths {
				if info, err := os.Stat(path); err == nil && (o.since <= 0 || time.Since(info.ModTime()) <= o.since) {
					sum += info.Size()
				}
			}
			continue
		}
		session, err := aws.Open(aws.Options{})
		if err != nil {
			return 0
		}
		for info, err := range session.S3().All(ctx, bucket, aws.ListOptions{Prefix: prefix}) {
			if err != nil {
				return 0
			}
			if o.since <= 0 || time.Since(info.Modified) <= o.since {
				sum += info.Size
			}
		}
	}
	return sum
}
