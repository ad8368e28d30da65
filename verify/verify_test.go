package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"narthex"
	"narthex/verify"
)

// What nobody can verify is told apart: not reachable, refused, no such address.
func TestNothingToVerify(t *testing.T) {
	answer := func(code int, text string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://elsewhere.example/")
			w.WriteHeader(code)
			fmt.Fprint(w, text)
		}))
		t.Cleanup(srv.Close)
		return strings.Replace(srv.URL, "http://", "http://user:secret@", 1) + "/api/v1/write?token=secret"
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		url  string
		kind narthex.Kind
		says string
	}{
		{gone.URL + "/?token=secret", narthex.Unavailable, "can't be reached"},
		{answer(401, "who?"), narthex.Forbidden, "refuses the credentials"},
		{answer(403, `{"message":"no"}`), narthex.Forbidden, `403 "no"`},
		{answer(404, "404 page not found"), narthex.Invalid, "is the address right"},
		{answer(307, ""), narthex.Invalid, "sends elsewhere"},
		{answer(503, "starting"), narthex.Unavailable, "takes nothing now"},
		{answer(429, "slower"), narthex.Unavailable, "takes nothing now"},
		{"secret", narthex.Invalid, "of the form https://"},
		{"http://\x7fsecret", narthex.Invalid, "of the form https://"},
	} {
		_, err := verify.Run(context.Background(), verify.Options{URL: c.url})
		if narthex.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v (kind %d), want kind %d, %q and no secret", c.url, err, narthex.KindOf(err), c.kind, c.says)
		}
	}
}

// A receiver that says yes to everything is believed in nothing that can be read
// back.
func TestEverythingIsTakenAndNothingStored(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/write", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		result := "[]"
		if strings.Contains(r.FormValue("query"), "narthex_verify_end") {
			result = `[{"metric":{},"values":[[1,"1"]]}]`
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":%s}}`, result)
	})
	mux.HandleFunc("/blind/api/v1/query", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	})
	mux.HandleFunc("/page/api/v1/query", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	mux.HandleFunc("/closed/api/v1/query", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	o := verify.Options{URL: srv.URL + "/write", QueryURL: srv.URL + "/", MaxAge: time.Minute, EmptyWorkspace: true}
	r, err := verify.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for capability, want := range map[string]string{
		verify.RemoteWrite2: "no", verify.OutOfOrder: "accepted, and not stored", verify.OldestSample: "accepted, and not stored",
		verify.NativeHisto: "taken, and not stored", verify.UTF8Names: "taken, and not stored", verify.SortsRequests: "lost without a word",
		verify.Partial1: "nothing was refused", verify.FutureSamples: "at least 2h", verify.OtherValue: "taken, what is stored: nothing",
		verify.StartTimes: "no", verify.SaysDuplicate: "",
	} {
		if got := r.Find(capability).Found; got != want {
			t.Errorf("%s: %q, want %q", capability, got, want)
		}
	}
	for query, says := range map[string]string{"/blind": "can't be read back", "/page": "no JSON", "/closed": "refuses the credentials"} {
		o.QueryURL, o.Visible = srv.URL+query, time.Millisecond
		if _, err := verify.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", query, err, says)
		}
	}
}

// Nothing is written ahead of now unless the workspace is empty, and each series
// is of this run.
func TestHarmsNobody(t *testing.T) {
	// The receiver's own decoder is the witness.
	for _, empty := range []bool{false, true} {
		ahead, foreign := witness(t, empty)
		if ahead != empty {
			t.Errorf("empty workspace %v: samples ahead of now: %v", empty, ahead)
		}
		if foreign != "" {
			t.Errorf("it wrote %s", foreign)
		}
	}
}
