package aws_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"narthex/internal/aws"
)

// sdkSign signs with the SDK's signer.
func sdkSign(s *v4.Signer, r *http.Request, hash string, c aws.Credentials, region, service string, at time.Time) error {
	return s.SignHTTP(context.Background(), sdk.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, r, hash, service, region, at)
}

// FuzzSign compares with the SDK's signer, which signs any request that
// net/http can send. It does not normalise paths; see TestSignNormalises.
func FuzzSign(f *testing.F) {
	for _, v := range vectors {
		u, err := url.Parse(v.url)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.method, u.Host, u.Path, u.RawQuery, "X-Amz-Meta-A", "  b  c ", "d", v.body, v.token, v.service == "s3", int64(1770091506))
	}
	f.Add("GET", "[::1]:8080", "/%zz/ü/a+b", "a=%zz&b;c&=&==&%26=1&a=2&a=10&A=1", "Content-Type", "\ttext\t", "", "", "", false, int64(0))
	f.Fuzz(func(t *testing.T, method, host, path, query, header, value1, value2, body, token string, s3 bool, at int64) {
		if at < 0 || at > 1<<35 {
			return
		}
		make := func() *http.Request {
			r := &http.Request{Method: method, URL: &url.URL{Scheme: "https", Host: host, Path: path, RawQuery: query}, Header: http.Header{}, ContentLength: int64(len(body))}
			r.Header[http.CanonicalHeaderKey(header)] = []string{value1, value2}
			return r
		}
		clean := strings.Contains(path, "//") || strings.Contains(path, "/.")
		if !s3 && (clean || path != "" && path[0] != '/') || strings.EqualFold(header, "Host") || strings.EqualFold(header, "Content-Length") || http.CanonicalHeaderKey(header) != header {
			return
		}
		if strings.ContainsFunc(header, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"(),/:;<=>?@[]\\{}", c) }) {
			return // net/http would not send it
		}
		for _, c := range host { // the SDK takes the brackets off an IPv6 address
			if c > '~' || c <= ' ' || c == '[' {
				return
			}
		}
		service := "aps"
		if s3 {
			service = "s3"
		}
		c := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret", SessionToken: token}
		hash, when := aws.HashBody([]byte(body)), time.Unix(at, 0)
		got, want := make(), make()
		aws.Sign(got, hash, c, "us-east-1", service, when)
		if s3 {
			want.Header.Set("X-Amz-Content-Sha256", hash)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 })
		if err := sdkSign(signer, want, hash, c, "us-east-1", service, when); err != nil {
			t.Fatal(err)
		}
		if a, b := strings.Split(got.URL.RawQuery, "&"), strings.Split(want.URL.RawQuery, "&"); !slices.Equal(a, b) {
			slices.Sort(a)
			slices.Sort(b)
			if slices.Equal(a, b) {
				return // the SDK sorts before it encodes; AWS's vectors want it after
			}
		}
		if d := cmp.Diff(want.Header, got.Header); d != "" || got.URL.RawQuery != want.URL.RawQuery {
			t.Errorf("%s %s (-SDK +ours)\n%s\n%s\n%s", method, path, d, want.URL.RawQuery, got.URL.RawQuery)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	body := []byte(strings.Repeat("x", 4096))
	c := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret", SessionToken: strings.Repeat("t", 400)}
	at := time.Now()
	r := request(b, "POST", "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write", string(body),
		http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}, "X-Prometheus-Remote-Write-Version": {"0.1.0"}})
	hash := aws.HashBody(body)
	b.Run("narthex", func(b *testing.B) {
		s := &aws.Signer{Region: "eu-central-1", Service: "aps"}
		b.ReportAllocs()
		for b.Loop() {
			s.Sign(r, hash, c, at)
		}
	})
	b.Run("sdk", func(b *testing.B) {
		s := v4.NewSigner()
		b.ReportAllocs()
		for b.Loop() {
			if err := sdkSign(s, r, hash, c, "eu-central-1", "aps", at); err != nil {
				b.Fatal(err)
			}
		}
	})
}
