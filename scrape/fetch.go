package scrape

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"narthex/openmetrics"
)

// mostBody bounds a body that no limit bounds.
const mostBody = 256 << 20

// fetch gets and reads the target's exposition.
func (t *target) fetch(ctx context.Context) ([]openmetrics.Family, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", t.accept)
	req.Header.Set("User-Agent", t.scraper.o.UserAgent)
	req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", strconv.FormatFloat(t.timeout.Seconds(), 'f', -1, 64))
	req.Header.Set("Accept-Encoding", "gzip")
	if t.job.Plain {
		req.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := t.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its text has the URL, which may have secrets
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", t.timeout)
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", resp.Status)
	}
	body, err := t.read(resp)
	if err != nil {
		return nil, err
	}
	return openmetrics.Parse(resp.Header.Get("Content-Type"), body, openmetrics.Limits{Families: 1_000_000, Samples: 2_000_000, Labels: 1000})
}

// read reads a body, which may be compressed.
func (t *target) read(resp *http.Response) ([]byte, error) {
	var from io.Reader = resp.Body
	switch encoding := resp.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, fmt.Errorf("its body is not gzip: %w", err)
		}
		from = z
	default:
		return nil, fmt.Errorf("its body is encoded as %q, and gzip was asked for", encoding)
	}
	limit := t.job.BodyLimit
	if limit <= 0 {
		limit = mostBody
	}
	body, err := io.ReadAll(io.LimitReader(from, limit+1))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("its answer did not end within %s", t.timeout)
	case err != nil:
		return nil, fmt.Errorf("read its answer: %w", err)
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("its body is larger than %d bytes (body_size_limit)", limit)
	}
	return body, nil
}
