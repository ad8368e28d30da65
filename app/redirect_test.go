package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"narthex/config"
)

// TestRedirectTakesNoCredentials: a target that is scraped may send narthex
// elsewhere, but not the credentials that are for the target.
func TestRedirectTakesNoCredentials(t *testing.T) {
	type seen struct{ auth, extra string }
	var mu sync.Mutex
	got := make(map[string]seen)
	arrived := make(chan string, 100)
	note := func(where string, r *http.Request) {
		mu.Lock()
		got[where] = seen{r.Header.Get("Authorization"), r.Header.Get("X-Extra")}
		mu.Unlock()
		arrived <- where
	}
	var target *httptest.Server
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note("elsewhere", r)
		http.Redirect(w, r, target.URL+"/back", http.StatusFound)
	}))
	defer elsewhere.Close()
	target = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(r.URL.Path, r)
		switch r.URL.Path {
		case "/metrics":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/here":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}
	}))
	defer target.Close()
	c, err := config.Parse("narthex.yml", []byte(`
scrape_configs:
  - job_name: j
    scrape_interval: 1s
    basic_auth: {username: u, password: secret}
    headers: {X-Extra: extra}
    static_configs: [{targets: ["`+strings.TrimPrefix(target.URL, "http://")+`"]}]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	serving(t, c, 0)
	for where := ""; where != "/back"; where = <-arrived {
	}
	mu.Lock()
	defer mu.Unlock()
	for _, where := range []string{"/metrics", "/here"} {
		if x := got[where]; x.auth == "" || x.extra != "extra" {
			t.Errorf("%s was shown %+v", where, x)
		}
	}
	for _, where := range []string{"elsewhere", "/back"} {
		if x := got[where]; x != (seen{}) {
			t.Errorf("%s was shown %+v", where, x)
		}
	}
}
