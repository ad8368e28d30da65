package aws

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// objectLimit is how much of an object [S3.Get] reads unless told otherwise.
const objectLimit = 64 << 20

// S3 reads and writes objects.
type S3 struct{ client }

// S3 returns the region's S3.
func (s *Session) S3() *S3 { return &S3{s.client("s3")} }

// ObjectInfo is what S3 knows of an object.
type ObjectInfo struct {
	Key             string
	Size            int64  // in bytes; of a range, the range's
	ETag            string // with its quotes
	Modified        time.Time
	ContentType     string
	ContentEncoding string
	Metadata        map[string]string // the user's, names in lower case
}

// Object is an object with its bytes.
type Object struct {
	ObjectInfo
	Data []byte
}

// GetOptions narrow what is read.
type GetOptions struct {
	IfMatch     string // the etag it must have, else ErrPrecondition
	IfNoneMatch string // the etag it must not have, else ErrNotModified
	Range       string // "bytes=0-99", "bytes=-100"
	Limit       int64  // in bytes, beyond it ErrTooLarge; 0 is 64 MiB. Not for Open.
}

// PutOptions say how an object is written.
type PutOptions struct {
	IfMatch         string // the etag of what is replaced, else ErrPrecondition or ErrNotFound
	IfNoneMatch     string // "*": there must be no object, else ErrPrecondition
	ContentType     string
	ContentEncoding string
	Metadata        map[string]string // the user's: names of letters, digits and '-', values in ASCII
}

// Get reads an object.
func (s *S3) Get(ctx context.Context, bucket, key string, o GetOptions) (*Object, error) {
	if o.Limit == 0 {
		o.Limit = objectLimit
	}
	a, err := s.get(ctx, bucket, key, o, false)
	if err != nil {
		return nil, err
	}
	return &Object{ObjectInfo: info(key, a.header), Data: a.body}, nil
}

// Open begins to read an object; what is read later is not tried again. The
// caller closes the reader.
func (s *S3) Open(ctx context.Context, bucket, key string, o GetOptions) (io.ReadCloser, ObjectInfo, error) {
	a, err := s.get(ctx, bucket, key, o, true)
	if err != nil {
		return nil, ObjectInfo{}, err
	}
	return a.stream, info(key, a.header), nil
}

func (s *S3) get(ctx context.Context, bucket, key string, o GetOptions, stream bool) (*answer, error) {
	h := make(http.Header)
	set(h, "If-Match", o.IfMatch)
	set(h, "If-None-Match", o.IfNoneMatch)
	set(h, "Range", o.Range)
	return s.object(ctx, bucket, key, call{op: "GetObject", method: http.MethodGet, header: h, limit: o.Limit, stream: stream})
}

// Head returns what S3 knows of an object.
func (s *S3) Head(ctx context.Context, bucket, key string) (ObjectInfo, error) {
	a, err := s.object(ctx, bucket, key, call{op: "HeadObject", method: http.MethodHead})
	if err != nil {
		return ObjectInfo{}, err
	}
	return info(key, a.header), nil
}

// Put writes an object and returns its etag. S3 checks the bytes against their
// SHA-256 and keeps that. An error with Attempts of 2 or more may be the
// answer to a write that had been done already.
func (s *S3) Put(ctx context.Context, bucket, key string, data []byte, o PutOptions) (etag string, err error) {
	sum := sha256.Sum256(data)
	h := http.Header{"X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(sum[:])}}
	set(h, "If-Match", o.IfMatch)
	set(h, "If-None-Match", o.IfNoneMatch)
	set(h, "Content-Type", o.ContentType)
	set(h, "Content-Encoding", o.ContentEncoding)
	for name, value := range o.Metadata {
		h.Set("X-Amz-Meta-"+name, value)
	}
	a, err := s.object(ctx, bucket, key, call{op: "PutObject", method: http.MethodPut, header: h, body: data, limit: 64 << 10})
	if err != nil {
		return "", err
	}
	return a.header.Get("Etag"), nil
}

// Delete deletes an object. There need be none.
func (s *S3) Delete(ctx context.Context, bucket, key string) error {
	_, err := s.object(ctx, bucket, key, call{op: "DeleteObject", method: http.MethodDelete, limit: 64 << 10})
	return err
}

// CreateBucket makes a bucket, for tests and trials.
func (s *S3) CreateBucket(ctx context.Context, bucket string) error {
	in := call{op: "CreateBucket", method: http.MethodPut, limit: 64 << 10}
	if !s.own && s.session.region != "us-east-1" {
		in.body = []byte("<CreateBucketConfiguration><LocationConstraint>" + s.session.region + "</LocationConstraint></CreateBucketConfiguration>")
	}
	_, err := s.bucket(ctx, bucket, "", in)
	return err
}

func (s *S3) object(ctx context.Context, bucket, key string, in call) (*answer, error) {
	if key == "" || len(key) > 1024 {
		return nil, fmt.Errorf("s3 %s: a key has 1 to 1,024 bytes, this one %d", in.op, len(key))
	}
	return s.bucket(ctx, bucket, key, in)
}

// bucket sends a call about a bucket or, with a key, an object.
func (s *S3) bucket(ctx context.Context, bucket, key string, in call) (*answer, error) {
	if s.err != nil {
		return nil, s.err
	}
	if !validBucket(bucket) {
		return nil, fmt.Errorf("s3 %s: %q is not the name of a bucket", in.op, bucket)
	}
	query := ""
	if in.url != nil {
		query = in.url.RawQuery
	}
	in.url = s.address(bucket, key)
	in.url.RawQuery = query
	in.resource = "s3://" + bucket + "/" + key
	return s.do(ctx, in)
}

// address puts the bucket into the host where AWS has it, and into the path
// for other endpoints and where a dot would not fit the certificate.
func (s *S3) address(bucket, key string) *url.URL {
	u := *s.base
	path := u.Path + "/"
	if s.own && !s.session.options.VirtualHosts || strings.Contains(bucket, ".") {
		path += bucket
		if key != "" {
			path += "/"
		}
	} else {
		u.Host = bucket + "." + u.Host
	}
	u.Path = path + key
	u.RawPath = string(appendEscaped(nil, u.Path, true))
	return &u
}

// validBucket checks a name as S3's rules have it ("General purpose bucket
// naming rules"), with the older length and letters, for other servers.
func validBucket(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := lower(c)
		if (letter < 'a' || letter > 'z') && (c < '0' || c > '9') && (i == 0 || c != '-' && c != '.' && c != '_') {
			return false
		}
	}
	return len(name) >= 3 && len(name) <= 255 && !strings.Contains(name, "..")
}

func info(key string, h http.Header) ObjectInfo {
	o := ObjectInfo{Key: key, ETag: h.Get("Etag"), ContentType: h.Get("Content-Type"), ContentEncoding: h.Get("Content-Encoding")}
	o.Size, _ = strconv.ParseInt(h.Get("Content-Length"), 10, 64) // an answer in chunks has none
	o.Modified, _ = http.ParseTime(h.Get("Last-Modified"))
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok && len(values) > 0 {
			if o.Metadata == nil {
				o.Metadata = make(map[string]string)
			}
			o.Metadata[strings.ToLower(rest)] = values[0]
		}
	}
	return o
}

// set sets a header that has a value.
func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}
