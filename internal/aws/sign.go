package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// What stands for the hash of a body.
const (
	// EmptyHash is the hash of no body.
	EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// UnsignedPayload says to S3 that the body is not part of the signature.
	UnsignedPayload = "UNSIGNED-PAYLOAD"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
)

// HashBody returns the hash of a body as [Signer.Sign] takes it.
func HashBody(body []byte) string {
	if len(body) == 0 {
		return EmptyHash
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Sign signs a request for a service, as [Signer.Sign] does.
func Sign(r *http.Request, bodyHash string, c Credentials, region, service string, t time.Time) {
	s := Signer{Region: region, Service: service, PathAsIs: service == "s3"}
	s.Sign(r, bodyHash, c, t)
}

// Signer signs requests with AWS Signature Version 4 in the Authorization
// header (AWS General Reference, "Signature Version 4 signing process"). It
// keeps the key of the day, may be used by several goroutines, and must not be
// copied.
type Signer struct {
	Region  string
	Service string // as it stands in the credential scope: "s3", "aps"
	// PathAsIs leaves the path as it is sent. S3 wants that, because "a//b" and
	// "a/./b" are keys; all other services normalise the path and encode it once
	// more.
	PathAsIs bool

	key atomic.Pointer[signingKey]
}

// signingKey is what a secret comes to for one day.
type signingKey struct {
	secret, date string
	key          []byte
}

// Sign sets X-Amz-Date, Authorization and, if c has a session token,
// X-Amz-Security-Token; for S3 X-Amz-Content-Sha256 as well. All headers that
// the request has by then are signed, but for those that proxies change; so is
// its length. It writes the query in its canonical form, so that what is sent
// is what was signed. bodyHash is the body's SHA-256 in hexadecimal.
func (s *Signer) Sign(r *http.Request, bodyHash string, c Credentials, t time.Time) {
	stamp := t.UTC().Format(timeFormat)
	date := stamp[:len("20060102")]
	r.Header["X-Amz-Date"] = []string{stamp}
	if c.SessionToken != "" {
		r.Header["X-Amz-Security-Token"] = []string{c.SessionToken}
	}
	if s.Service == "s3" {
		r.Header["X-Amz-Content-Sha256"] = []string{bodyHash}
	}
	r.URL.RawQuery = canonicalQuery(r.URL.RawQuery)
	r.Host = host(r)

	var room [1536]byte
	b := append(room[:0], r.Method...)
	b = append(b, '\n')
	b = s.appendPath(b, r)
	b = append(b, '\n')
	b = append(b, r.URL.RawQuery...)
	b = append(b, '\n')
	var names [24]string
	headers := signedHeaders(names[:0], r)
	b = appendHeaders(b, headers, r)
	b = append(b, '\n')
	list := len(b)
	b = appendNames(b, headers)
	signed := string(b[list:])
	b = append(b, '\n')
	b = append(b, bodyHash...)
	sum := sha256.Sum256(b)

	scope := date + "/" + s.Region + "/" + s.Service + "/aws4_request"
	b = append(b[:0], algorithm+"\n"...)
	b = append(b, stamp...)
	b = append(b, '\n')
	b = append(b, scope...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum[:])
	signature := mac(s.dayKey(c.SecretAccessKey, date), b)
	r.Header["Authorization"] = []string{algorithm + " Credential=" + c.AccessKeyID + "/" + scope +
		", SignedHeaders=" + signed + ", Signature=" + hex.EncodeToString(signature)}
}

// dayKey derives the key of a day from the secret, or takes the last one.
func (s *Signer) dayKey(secret, date string) []byte {
	if k := s.key.Load(); k != nil && k.date == date && k.secret == secret {
		return k.key
	}
	key := mac([]byte("AWS4"+secret), []byte(date))
	key = mac(key, []byte(s.Region))
	key = mac(key, []byte(s.Service))
	key = mac(key, []byte("aws4_request"))
	s.key.Store(&signingKey{secret: secret, date: date, key: key})
	return key
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// signedHeaders appends the names of the headers that are signed, in the order
// of their lower case. Left out are those that the connection or a proxy sets.
func signedHeaders(names []string, r *http.Request) []string {
	names = append(names, "Host")
	if r.ContentLength > 0 {
		names = append(names, "Content-Length")
	}
	for name := range r.Header {
		switch name {
		case "Authorization", "User-Agent", "X-Amzn-Trace-Id", "Expect", "Transfer-Encoding", "Host", "Content-Length":
		default:
			names = append(names, name)
		}
	}
	slices.SortFunc(names, compareFold)
	return names
}

// compareFold compares as if both were in lower case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, lower(s[i]))
	}
	return b
}

// appendNames appends the list SignedHeaders.
func appendNames(b []byte, names []string) []byte {
	for i, name := range names {
		if i > 0 {
			b = append(b, ';')
		}
		b = appendLower(b, name)
	}
	return b
}

// appendHeaders appends the canonical headers, a line each.
func appendHeaders(b []byte, names []string, r *http.Request) []byte {
	for _, name := range names {
		b = appendLower(b, name)
		b = append(b, ':')
		switch name {
		case "Host":
			b = append(b, r.Host...)
		case "Content-Length":
			b = strconv.AppendInt(b, r.ContentLength, 10)
		default:
			for i, v := range r.Header[name] {
				if i > 0 {
					b = append(b, ',')
				}
				b = appendTrimmed(b, v)
			}
		}
		b = append(b, '\n')
	}
	return b
}

// appendTrimmed appends a header's value without spaces around it, and one for
// many within.
func appendTrimmed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' { // v[0] is no space
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// host returns the Host header without the port that the scheme implies: a
// proxy may take that away.
func host(r *http.Request) string {
	h := r.Host
	if h == "" {
		h = r.URL.Host
	}
	switch r.URL.Scheme {
	case "http":
		return strings.TrimSuffix(h, ":80")
	case "https":
		return strings.TrimSuffix(h, ":443")
	}
	return h
}
