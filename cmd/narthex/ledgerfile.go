package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"narthex/app"
)

// exportTotals writes an export. A file takes its name only once it is whole.
func exportTotals(ctx context.Context, c *ledgerClient, args []string) (err error) {
	if len(args) > 1 {
		return usageError("it takes one file, but got %q too", args[1])
	}
	resp, err := c.do(ctx, http.MethodGet, "/api/v1/ledger/export", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if len(args) == 0 || args[0] == "-" {
		_, err := io.Copy(c.t.out, resp.Body)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(args[0]), filepath.Base(args[0])+".*")
	if err != nil {
		return usageError("%v", err)
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, resp.Body)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), args[0])
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", args[0], err)
	}
	fmt.Fprintf(c.t.err, "%d bytes\n", n)
	return nil
}

func importTotals(ctx context.Context, c *ledgerClient, args []string) error {
	if len(args) != 1 {
		return usageError("it takes one file; - is standard input")
	}
	in := c.t.in
	if args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return usageError("%v", err)
		}
		defer f.Close()
		in = f
	}
	query := url.Values{}
	if c.o.merge {
		query.Set("merge", "true")
	}
	if c.o.ignoreUnknown {
		query.Set("ignore_unknown", "true")
	}
	var done app.LedgerImported
	if err := c.answer(ctx, http.MethodPost, "/api/v1/ledger/import", query, io.NopCloser(in), &done); err != nil {
		return err
	}
	for _, r := range done.Named {
		fmt.Fprintf(c.t.err, "left %s: %s\n", r.Series, r.Reason)
	}
	fmt.Fprintf(c.t.out, "imported %d series and %d ids; %d series were left as they are\n", done.Series, done.IDs, done.Left)
	return nil
}
