package accesslog_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/accesslog"
)

func parse(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}

// byRoute are metrics that tell only the route, the method and an account.
func byRoute() []accesslog.Metric {
	return []accesslog.Metric{{Name: "requests_total", Of: "requests", Labels: []accesslog.Label{
		{Name: "account", From: "path:account|query:account|header:X-Account|host:{account}.example"}, {Name: "method"}, {Name: "route"},
	}}}
}

// request is a line of the common format with a virtual host.
func request(method, path string, status int) string {
	return fmt.Sprintf("www.test:443 192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] \"%s %s HTTP/1.1\" %d 1\n", method, path, status)
}

// labelOf reads one request and returns a label.
func labelOf(t *testing.T, r *accesslog.Reader, label, line string) string {
	t.Helper()
	counts, err := r.Read(t.Context(), "log", strings.NewReader(line))
	if err != nil {
		t.Fatal(err)
	}
	series := counts.Series()
	if len(series) != 1 {
		t.Fatalf("%s: %d series %v", line, len(series), counts.Report)
	}
	return series[0].Labels.Get(label)
}

func TestPatterns(t *testing.T) {
	r := newReader(t, accesslog.Options{Metrics: byRoute(), Routes: []string{
		"/", "GET /v1/users/{id}", "POST /v1/users", "/v1/users/me", "/v1/users/{id}/orders/{order}", "PUT /v1/users/{id}",
		"/v1/{kind}/special", "/files/**", "/files/public/**", "/**.js", "/img/{name}.png", "/img/thumb-{name}.png",
		"/x/*/y", "/caf%C3%A9/{id}", "/accounts/{account}/**", "/deep/{a}/{b}/{c}",
	}})
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/", "/"},
		{"GET", "//", "/"},
		{"GET", "/v1/users/17", "/v1/users/{id}"},
		{"GET", "/v1/users/17/", "/v1/users/{id}"},
		{"GET", "/v1//users/17?x=/a/b", "/v1/users/{id}"},
		{"PUT", "/v1/users/17", "/v1/users/{id}"},
		{"PATCH", "/v1/users/17", "other"},
		{"PATCH", "/v1/users/special", "/v1/{kind}/special"}, // back from {id}, which has no PATCH
		{"GET", "/v1/users/me", "/v1/users/me"},
		{"GET", "/v1/users", "other"},
		{"POST", "/v1/users", "/v1/users"},
		{"GET", "/v1/users/17/orders/4", "/v1/users/{id}/orders/{order}"},
		{"GET", "/v1/users/17/orders", "other"},
		{"GET", "/v1/things/special", "/v1/{kind}/special"},
		{"GET", "/files", "/files/**"},
		{"GET", "/files/a/b/c", "/files/**"},
		{"GET", "/files/public/c", "/files/public/**"},
		{"GET", "/files/app.js", "/files/**"}, // more text to the left
		{"GET", "/assets/app.3f2a.js", "/**.js"},
		{"GET", "/app.js", "/**.js"},
		{"GET", "/img/cat.png", "/img/{name}.png"},
		{"GET", "/img/thumb-cat.png", "/img/thumb-{name}.png"},
		{"GET", "/img/.png", "other"},
		{"GET", "/x/1/y", "/x/*/y"},
		{"GET", "/caf%C3%A9/4", "/caf%C3%A9/{id}"},
		{"GET", "/v1/%75sers/17", "/v1/users/{id}"},  // decoded
		{"GET", "/v1/%2575sers/17", "other"},         // once only
		{"GET", "/v1/users/a%2Fb", "/v1/users/{id}"}, // an encoded slash is none
		{"GET", "/v1/users/%ZZ%", "/v1/users/{id}"},  // no escape at all
		{"GET", "/" + strings.Repeat("a/", 5000), "other"},
		{"GET", "/files/" + strings.Repeat("a/", 5000), "/files/**"},
		{"GET", "http://else.test/files/x", "/files/**"},
	} {
		if got := labelOf(t, r, "route", request(c.method, c.path, 200)); got != c.want {
			t.Errorf("%s %.60s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
	if len(r.Learned()) > 2000 || strings.Contains(string(r.Learned()), "route ") {
		t.Errorf("routes were learned beside a list: %s", r.Learned())
	}
}

func TestCaptures(t *testing.T) {
	r := newReader(t, accesslog.Options{Metrics: byRoute(), Routes: []string{"/accounts/{account}/**", "/{other}/x"}})
	for _, c := range []struct {
		line, want string
	}{
		{request("GET", "/accounts/acme/x", 200), "acme"},
		{request("GET", "/accounts/%61cme2/x", 200), "%61cme2"}, // it matched as it stands
		{request("GET", "/y/x?a=1&account=q", 200), "q"},
		{request("GET", "/y/x?accounts=q", 200), ""},
		{strings.Replace(request("GET", "/y/x", 200), "www.test", "tenant.example", 1), "tenant"},
		{request("GET", "/accounts/evil/x", 404), "other"}, // no answer below 400 named it
		{request("GET", "/accounts/acme/x", 404), "acme"},
		{request("GET", "/accounts/"+strings.Repeat("x", 500)+"/x", 200), "other"},
	} {
		if got := labelOf(t, r, "account", c.line); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	metric := func(m accesslog.Metric) accesslog.Options {
		return accesslog.Options{Metrics: []accesslog.Metric{m}}
	}
	label := func(l accesslog.Label) accesslog.Options {
		return metric(accesslog.Metric{Name: "x", Of: "requests", Labels: []accesslog.Label{l}})
	}
	many := make([]accesslog.Label, 17)
	for i := range many {
		many[i] = accesslog.Label{Name: fmt.Sprint("l", i), From: fmt.Sprint("column:c", i)}
	}
	for want, o := range map[string]accesslog.Options{
		"no method":                           {Routes: []string{"FETCH /a"}},
		"begins with /":                       {Routes: []string{"a/b"}},
		"** stands for all the rest":          {Routes: []string{"/a/**/b"}},
		"want a text":                         {Routes: []string{"/a/{b}{c}"}},
		"very same requests":                  {Routes: []string{"/a/{b}", "/a/{c}"}},
		"no blank":                            {Routes: []string{"GET /a b"}},
		"preset \"x\"":                        {Preset: "x"},
		"format \"x\"":                        {Format: "x"},
		"sampling rate":                       {SamplingRate: 101},
		"not one byte":                        {Delimiter: "ab"},
		"nothing is called of":                metric(accesslog.Metric{Name: "x", Of: "y"}),
		"layout \"x\"":                        metric(accesslog.Metric{Name: "x", Of: "duration", Buckets: "x"}),
		"has no buckets":                      metric(accesslog.Metric{Name: "x", Of: "requests", Buckets: "default"}),
		"needs buckets":                       metric(accesslog.Metric{Name: "x", Of: "memory"}),
		"metric name":                         metric(accesslog.Metric{Name: "a b", Of: "requests"}),
		"nothing of a request is called":      label(accesslog.Label{Name: "x"}),
		"names nothing":                       label(accesslog.Label{Name: "x", From: "column:"}),
		"before the colon":                    label(accesslog.Label{Name: "x", From: "cookie:a"}),
		"want a host":                         label(accesslog.Label{Name: "x", From: "host:example"}),
		"label name":                          label(accesslog.Label{Name: "a-b", From: "host"}),
		"its label le":                        metric(accesslog.Metric{Name: "x", Of: "duration", Labels: []accesslog.Label{{Name: "le", From: "host"}}}),
		"more than 16 origins":                metric(accesslog.Metric{Name: "x", Of: "requests", Labels: many}),
		"is there twice":                      {Metrics: []accesslog.Metric{{Name: "x", Of: "requests"}, {Name: "x", Of: "requests"}}},
		"nothing of a request is called that": {Mapping: map[string]string{"x": "y"}},
		"two meanings, method and status":     {Mapping: map[string]string{"status": "y", "method": "y"}},
	} {
		if _, err := accesslog.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// learn reads requests for paths, all with the same status.
func learn(t *testing.T, r *accesslog.Reader, status int, paths ...string) map[string]float64 {
	t.Helper()
	var log strings.Builder
	for _, p := range paths {
		log.WriteString(request("GET", p, status))
	}
	counts, err := r.Read(t.Context(), "log", strings.NewReader(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, s := range counts.Series() {
		out[s.Labels.Get("route")] += s.Samples[0].Value
	}
	return out
}

func TestLearnedParts(t *testing.T) {
	r := newReader(t, accesslog.Options{Metrics: byRoute()})
	for path, want := range map[string]string{
		"/":                  "/",
		"/about":             "/about",
		"/v1/oauth2/token":   "/v1/oauth2/token",
		"/users/4711":        "/users/{id}",
		"/users/2026-01-02":  "/users/{id}",
		"/users/order-12345": "/users/{id}",
		"/users/0a1b2c3d-0000-4000-8000-0123456789ab": "/users/{uuid}",
		"/users/deadbeef01":                           "/users/{hash}",
		"/users/deadbeef":                             "/users/deadbeef",
		"/users/ann@shop.example":                     "/users/{email}",
		"/users/ann%40shop.example":                   "/users/{email}",
		"/users/AbCdEfGh1JkLmNoPqRsTuV":               "/users/{token}",
		"/blog/how-to-fold-long-paths":                "/blog/{slug}",
		"/blog/%00%01":                                "/blog/{any}",
		"/blog/{id}":                                  "/blog/{any}",
		"/blog/*":                                     "/blog/{any}",
		"/blog/" + strings.Repeat("x", 99):            "/blog/{any}",
		"/blog/%ff":                                   "/blog/{any}",
		"/caf%C3%A9":                                  "/café",
		"/static/app.3f2a.JS":                         "/**.js",
		"/favicon.ico":                                "/**.ico",
		"/1/2/3/4/5/6/7/8/9/10/11/12":                 "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/**",
	} {
		if got := labelOf(t, r, "route", request("GET", path, 200)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// Only answers below 400 make routes.
func TestScannersMakeNoRoutes(t *testing.T) {
	r := newReader(t, accesslog.Options{Metrics: byRoute()})
	if d := cmp.Diff(map[string]float64{"other": 3}, learn(t, r, 404, "/wp-login.php", "/a/b", "/x.js")); d != "" {
		t.Error(d)
	}
	learn(t, r, 200, "/a/b")
	if d := cmp.Diff(map[string]float64{"other": 2, "/a/b": 1}, learn(t, r, 500, "/a/b", "/a", "/c")); d != "" {
		t.Error(d)
	}
}

// Where too many texts stand in one place, all become {name}, and what is
// below comes together.
func TestFanOut(t *testing.T) {
	r := newReader(t, accesslog.Options{Metrics: byRoute(), FanOut: 3, MaxRoutes: 8})
	var shops []string
	for _, s := range []string{"ann", "bea", "cleo"} {
		shops = append(shops, "/shop/"+s, "/shop/"+s+"/cart")
	}
	learn(t, r, 200, shops...)
	got := learn(t, r, 200, append(shops, "/shop/dora", "/shop/dora/cart", "/shop/eve/wish")...)
	if d := cmp.Diff(map[string]float64{
		"/shop/ann": 1, "/shop/bea": 1, "/shop/cleo": 1, "/shop/ann/cart": 1, "/shop/bea/cart": 1, "/shop/cleo/cart": 1,
		"/shop/{name}": 1, "/shop/{name}/cart": 1, "/shop/{name}/wish": 1,
	}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]float64{"/shop/{name}": 3, "/shop/{name}/cart": 3}, learn(t, r, 200, shops...)); d != "" {
		t.Error(d)
	}
	want := "narthex-routes 1\nroute /shop/{name}\nroute /shop/{name}/cart\nroute /shop/{name}/wish\n"
	if got := string(r.Learned()); got != want {
		t.Errorf("learned %q, want %q", got, want)
	}
}

// There is an end of routes.
func TestMaxRoutes(t *testing.T) {
	r := newReader(t, accesslog.Options{Metrics: byRoute(), MaxRoutes: 3})
	want := map[string]float64{"/a": 1, "/b": 1, "/c": 2, "other": 2}
	if d := cmp.Diff(want, learn(t, r, 200, "/a", "/b", "/c", "/d", "/e", "/c")); d != "" {
		t.Error(d)
	}
}

// A reader that is given what others learned labels as they do.
func TestLearnedIsShared(t *testing.T) {
	o := accesslog.Options{FanOut: 5, MaxRoutes: 50}
	a, b := newReader(t, o), newReader(t, o)
	paths := []string{"/", "/users/1", "/blog/a", "/blog/b", "/blog/c", "/blog/d", "/blog/e", "/blog/f", "/x.css", "/caf%C3%A9", "/1/2/3/4/5/6/7/8/9/10/11/12"}
	learn(t, a, 200, paths...)
	learn(t, b, 200, "/blog/y", "/blog/z", "/only/b")
	for _, r := range []*accesslog.Reader{a, b} {
		other := map[*accesslog.Reader]*accesslog.Reader{a: b, b: a}[r]
		if err := r.Learn(other.Learned()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(a.Learned()), string(b.Learned()); got != want {
		t.Error(cmp.Diff(got, want))
	}
	if !strings.Contains(string(a.Learned()), "value host\twww.test\n") {
		t.Errorf("no host was learned: %s", a.Learned())
	}
	all := append(paths, "/blog/y", "/only/b")
	if d := cmp.Diff(learn(t, a, 404, all...), learn(t, b, 404, all...)); d != "" {
		t.Error(d)
	}
	if got := learn(t, a, 404, all...); got["other"] != 0 || got["/blog/{name}"] != 14 { // in two metrics
		t.Error(got)
	}
}

func TestDamagedLearned(t *testing.T) {
	r := newReader(t, accesslog.Options{})
	for _, state := range []string{"", "{}", "narthex-routes 2\n", "narthex-routes 1\nfoo bar\n", "narthex-routes 1\nroute\n", "narthex-routes 1\nroute x\n",
		"narthex-routes 1\nvalue host\n", "narthex-routes 1\n\xff\n", "narthex-routes 1\n" + strings.Repeat("x", 5<<20)} {
		if err := r.Learn([]byte(state)); err == nil || !narthex.IsRejected(err) {
			t.Errorf("%.40q: %v", state, err)
		}
	}
}

func TestSuggestions(t *testing.T) {
	var log strings.Builder
	for i := range 60 {
		log.WriteString(request("GET", fmt.Sprint("/users/", i), 200))
	}
	for range 30 {
		log.WriteString(request("POST", "/users", 201))
	}
	log.WriteString(strings.Repeat(request("GET", "/.env", 404), 8) + strings.Repeat(request("BREW", "/pot", 200), 2))
	counts := read(t, accesslog.Options{}, "log", []byte(log.String()))
	want := []accesslog.RouteShare{
		{Route: "GET /users/{id}", Requests: 60, Share: 0.6}, {Route: "POST /users", Requests: 30, Share: 0.3},
		{Route: "/pot", Requests: 2, Share: 0.02}, {Route: "other", Requests: 8, Share: 0.08},
	}
	if d := cmp.Diff(want, counts.Routes()); d != "" {
		t.Error(d)
	}
	var routes []string
	for _, s := range counts.Routes() {
		if s.Route != "other" {
			routes = append(routes, s.Route)
		}
	}
	again := read(t, accesslog.Options{Routes: routes}, "log", []byte(log.String()))
	if d := cmp.Diff(want, again.Routes()); d != "" {
		t.Errorf("the list does not do as Routes: %s", d)
	}
}
