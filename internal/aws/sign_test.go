package aws_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/internal/aws"
)

// vectors are requests of narthex's and their signatures as the SDK's signer
// (aws-sdk-go-v2 v1.46.0) made them, for the key AKIDTEST with the secret
// a-secret-for-tests in eu-central-1 on 2026-02-03 at 04:05:06 UTC.
var vectors = []struct {
	name, method, url, body, service, token string
	header                                  http.Header
	query                                   string // as it is sent
	signed, signature                       string
}{{
	name: "nothing but the host", method: "GET", url: "https://sqs.eu-central-1.amazonaws.com/", service: "sqs",
	signed: "host;x-amz-date", signature: "bb36ff157a58c7b858b5ea8d28bcb2974f2df797e2e508585dcbc0306d71dc29",
}, {
	name: "a query", method: "GET", service: "aps",
	url:    `https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/label/a:b/values?start=1.5&match[]=up{job="a b"}&match[]=down&end=2+3`,
	query:  `end=2%203&match%5B%5D=down&match%5B%5D=up%7Bjob%3D%22a%20b%22%7D&start=1.5`,
	signed: "host;x-amz-date", signature: "ab1fb87bbde1c0b0d0ba46a9745d6fc6bde503d3d0d4f369dfb3fd6e44b7880c",
}, {
	name: "remote write with a session token", method: "POST", body: "\x01\x02\x03", service: "aps", token: "a-token",
	url:    "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
	header: http.Header{"Content-Type": {"application/x-protobuf"}, "Content-Encoding": {"snappy"}},
	signed: "content-encoding;content-length;content-type;host;x-amz-date;x-amz-security-token", signature: "5a28fae4fc76f3a61c1c2257a4116c3428cba16d3dc77ad35ccd5011e445a3f5",
}, {
	name: "headers that are left out", method: "POST", url: "https://dynamodb.eu-central-1.amazonaws.com/", body: "{}", service: "dynamodb",
	header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810.GetItem"}, "User-Agent": {"x"}, "X-Amzn-Trace-Id": {"y"}},
	signed: "content-length;content-type;host;x-amz-date;x-amz-target", signature: "275a7f6c29071158c9dc902ca0b15f96772b28dc4c67ae91b458f072880b638e",
}, {
	name: "an object's key as it is", method: "PUT", url: "https://bucket.s3.eu-central-1.amazonaws.com/a//b/./%C3%A9%20%2B", body: "data", service: "s3", token: "a-token",
	header: http.Header{"If-Match": {`"e"`}, "X-Amz-Meta-Two": {"  a   b ", "c"}},
	signed: "content-length;host;if-match;x-amz-content-sha256;x-amz-date;x-amz-meta-two;x-amz-security-token", signature: "bd56e13440bf2d12a75dd70220a058bad94181eebff2f38e55101b7b87c6581b",
}, {
	name: "the scheme's own port", method: "GET", url: "http://127.0.0.1:80/bucket?list-type=2&prefix=", service: "s3", query: "list-type=2&prefix=",
	signed: "host;x-amz-content-sha256;x-amz-date", signature: "68af9beda9afbfb57d4ba6f994f06fd9223088d4f44812a7e562ce8d4030f9fa",
}}

var signedAt = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func request(t testing.TB, method, url, body string, header http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

func TestSign(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			r := request(t, v.method, v.url, v.body, v.header)
			c := aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "a-secret-for-tests", SessionToken: v.token}
			for range 2 { // to sign again is to replace the signature
				aws.Sign(r, aws.HashBody([]byte(v.body)), c, "eu-central-1", v.service, signedAt)
			}
			want := "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260203/eu-central-1/" + v.service + "/aws4_request, SignedHeaders=" + v.signed + ", Signature=" + v.signature
			if d := cmp.Diff([]string{want}, r.Header["Authorization"]); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if r.URL.RawQuery != v.query {
				t.Errorf("the query is %s, want %s", r.URL.RawQuery, v.query)
			}
		})
	}
}

// All services but S3 normalise a path before they sign it.
func TestSignNormalises(t *testing.T) {
	sign := func(path, service string) string {
		r := request(t, "GET", "https://example.amazonaws.com"+path, "", nil)
		aws.Sign(r, aws.EmptyHash, aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S"}, "us-east-1", service, signedAt)
		return r.Header.Get("Authorization")
	}
	for path, same := range map[string]string{
		"": "/", "//": "/", "/.": "/", "/..": "/", "/a/..": "/", "/a/../": "/", "//a//b//": "/a/b/",
		"/./a/./b": "/a/b", "/a/../../b": "/b", "/a/b/..": "/a/", "/a/b/.": "/a/b/", "/a/.b": "/a/.b",
	} {
		if sign(path, "aps") != sign(same, "aps") {
			t.Errorf("%q is not signed as %q", path, same)
		}
		if path != same && path != "" && sign(path, "s3") == sign(same, "s3") {
			t.Errorf("for S3, %q is signed as %q", path, same)
		}
	}
}

// A signer that has served one key, day or secret signs for others as well.
func TestSignerKeepsNothingStale(t *testing.T) {
	s := &aws.Signer{Region: "us-east-1", Service: "sqs"}
	for range 2 {
		for _, secret := range []string{"one", "two"} {
			for _, at := range []time.Time{signedAt, signedAt.Add(24 * time.Hour)} {
				c := aws.Credentials{AccessKeyID: "A", SecretAccessKey: secret}
				got, want := request(t, "GET", "https://x.test/", "", nil), request(t, "GET", "https://x.test/", "", nil)
				s.Sign(got, aws.EmptyHash, c, at)
				aws.Sign(want, aws.EmptyHash, c, "us-east-1", "sqs", at)
				if d := cmp.Diff(want.Header, got.Header); d != "" {
					t.Errorf("(-want +got)\n%s", d)
				}
			}
		}
	}
}
