package verify_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex/remotewrite"
	"narthex/verify"
)

// witness runs verify and says whether it wrote ahead of now, and a series that
// is not its own.
func witness(t *testing.T, empty bool) (ahead bool, foreign string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body, err = s2.Decode(nil, body)
		}
		version := remotewrite.V1
		if r.Header.Get("Content-Type") == remotewrite.ContentTypeV2 {
			version = remotewrite.V2
		}
		got, err2 := remotewrite.Decode(version, string(body), remotewrite.Limits{})
		if err != nil || err2 != nil {
			t.Errorf("%v, %v", err, err2)
			return
		}
		for _, s := range got.Series {
			if !strings.HasPrefix(s.Labels.Get("__name__"), "narthex_verify") || s.Labels.Get("run") != "r1" {
				foreign = s.Labels.String()
			}
			for _, x := range s.Samples {
				ahead = ahead || x.Time > time.Now().UnixMilli()
			}
		}
		w.WriteHeader(204)
	}))
	defer srv.Close()
	if _, err := verify.Run(context.Background(), verify.Options{URL: srv.URL, Run: "r1", EmptyWorkspace: empty}); err != nil {
		t.Fatal(err)
	}
	return ahead, foreign
}
