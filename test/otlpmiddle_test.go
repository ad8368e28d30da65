package test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"sync"
	"testing"
	"time"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote"
	promtsdb "github.com/prometheus/prometheus/tsdb"

	promquery "narthex/query"
)

// middle stands between an exporter and narthex. It keeps what it forwards, and
// may answer 503, before or after narthex has had the request.
type middle struct {
	*httptest.Server
	upstream string
	fate     func(n int) string // of the n-th request: "", "before" or "after"

	mu     sync.Mutex
	n      int
	bodies []captured
}

type captured struct {
	contentType string
	body        []byte
}

func newMiddle(t *testing.T, upstream string, fate func(n int) string) *middle {
	m := &middle{upstream: upstream, fate: fate}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *middle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	m.mu.Lock()
	fate := ""
	if m.fate != nil {
		fate = m.fate(m.n)
	}
	m.n++
	m.mu.Unlock()
	if fate != "before" {
		resp, err := m.forward(r, raw)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		if fate == "" {
			w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
			w.WriteHeader(resp.StatusCode)
			io.Copy(w, resp.Body)
			return
		}
	}
	w.Header().Set("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT") // at once
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (m *middle) forward(r *http.Request, raw []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, m.upstream+r.URL.Path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	body := raw
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	m.bodies = append(m.bodies, captured{r.Header.Get("Content-Type"), body})
	m.mu.Unlock()
	return http.DefaultClient.Do(req)
}

// failing makes most requests fail, but never more than three in a row.
func failing(n int) string {
	return []string{"after", "", "before", "after", "", "after", "after", "before", "", "before", "", ""}[n%12]
}

// replay feeds what was forwarded to Prometheus's own handler over a TSDB of its
// own, and returns the address of a query API over that.
func (m *middle) replay(t *testing.T) string {
	t.Helper()
	o := promtsdb.DefaultOptions()
	o.OutOfOrderTimeWindow = time.Hour.Milliseconds()
	o.EnableExemplarStorage, o.MaxExemplars = true, 1000
	quiet := slog.New(slog.DiscardHandler)
	db, err := promtsdb.Open(t.TempDir(), quiet, nil, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h := remote.NewOTLPWriteHandler(quiet, nil, db, func() promconfig.Config {
		return promconfig.Config{OTLPConfig: promconfig.DefaultOTLPConfig}
	}, remote.OTLPOptions{})
	if len(m.bodies) == 0 {
		t.Fatal("nothing was exported")
	}
	for _, c := range m.bodies {
		r := httptest.NewRequest(http.MethodPost, "/v1/metrics", bytes.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("Prometheus says %d %s", w.Code, w.Body)
		}
	}
	mux := http.NewServeMux()
	promquery.New(promquery.Options{Queryable: db, ExemplarQueryable: db}).Mount(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// stored returns all series with all their samples, sorted, as the API has them,
// and the exemplars.
func stored(t *testing.T, base string) []string {
	t.Helper()
	var out []string
	now := time.Now()
	for path, form := range map[string]url.Values{
		"query":           {"query": {`{__name__=~".+"}[1h]`}},
		"query_exemplars": {"query": {`{__name__=~".+"}`}, "start": {fmt.Sprint(now.Add(-time.Hour).Unix())}, "end": {fmt.Sprint(now.Add(time.Minute).Unix())}},
	} {
		resp, err := http.PostForm(base+"/api/v1/"+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer struct {
			Status, Error string
			Data          json.RawMessage
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Status != "success" {
			t.Fatalf("%s: %v %s", path, err, answer.Error)
		}
		var list []json.RawMessage
		if json.Unmarshal(answer.Data, &list) != nil {
			var data struct{ Result []json.RawMessage }
			if err := json.Unmarshal(answer.Data, &data); err != nil {
				t.Fatal(err)
			}
			list = data.Result
		}
		for _, x := range list {
			out = append(out, string(x))
		}
	}
	sort.Strings(out)
	return out
}
