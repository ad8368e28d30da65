package aws

import (
	"context"
	"encoding/xml"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// listLimit bounds a page of 1,000 keys, in bytes.
const listLimit = 8 << 20

// ListOptions say what to list.
type ListOptions struct {
	Prefix    string
	After     string // keys after this one, in the order of their bytes
	Delimiter string // "/": what is below one is given as a prefix alone
	Max       int    // keys a page; 0 is S3's own 1,000
	Token     string // the Next of the page before
}

// Page is a page of a list.
type Page struct {
	Objects  []ObjectInfo // key, size, etag and time of change
	Prefixes []string     // with a delimiter
	Next     string       // the token of the next page; "" for the last
}

// List returns a page of a bucket's objects.
func (s *S3) List(ctx context.Context, bucket string, o ListOptions) (Page, error) {
	q := url.Values{"list-type": {"2"}, "encoding-type": {"url"}}
	for name, value := range map[string]string{"prefix": o.Prefix, "start-after": o.After, "delimiter": o.Delimiter, "continuation-token": o.Token} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.Max > 0 {
		q.Set("max-keys", strconv.Itoa(o.Max))
	}
	a, err := s.bucket(ctx, bucket, "", call{op: "ListObjectsV2", method: http.MethodGet, url: &url.URL{RawQuery: q.Encode()}, limit: listLimit})
	if err != nil {
		return Page{}, err
	}
	p, err := parsePage(a.body)
	if err != nil {
		return Page{}, fmt.Errorf("s3 ListObjectsV2 s3://%s: read the answer: %w", bucket, err)
	}
	return p, nil
}

// All returns the objects of all pages, with the error that ends them early.
func (s *S3) All(ctx context.Context, bucket string, o ListOptions) iter.Seq2[ObjectInfo, error] {
	return func(yield func(ObjectInfo, error) bool) {
		for {
			p, err := s.List(ctx, bucket, o)
			if err == nil && p.Next != "" && p.Next == o.Token {
				err = fmt.Errorf("s3 ListObjectsV2 s3://%s: the server gives the same page again", bucket)
			}
			if err != nil {
				yield(ObjectInfo{}, err)
				return
			}
			for _, x := range p.Objects {
				if !yield(x, nil) {
					return
				}
			}
			if o.Token = p.Next; p.Next == "" {
				return
			}
		}
	}
}

func parsePage(text []byte) (Page, error) {
	var x struct {
		EncodingType          string
		IsTruncated           bool
		NextContinuationToken string
		Contents              []struct {
			Key, ETag    string
			Size         int64
			LastModified time.Time
		}
		CommonPrefixes []struct{ Prefix string }
	}
	if err := xml.Unmarshal(text, &x); err != nil {
		return Page{}, err
	}
	decode := func(s string) string {
		if d, err := url.QueryUnescape(s); err == nil && x.EncodingType == "url" {
			return d
		}
		return s
	}
	p := Page{Objects: make([]ObjectInfo, 0, len(x.Contents))}
	for _, c := range x.Contents {
		p.Objects = append(p.Objects, ObjectInfo{Key: decode(c.Key), Size: c.Size, ETag: c.ETag, Modified: c.LastModified})
	}
	for _, c := range x.CommonPrefixes {
		p.Prefixes = append(p.Prefixes, decode(c.Prefix))
	}
	if x.IsTruncated {
		p.Next = x.NextContinuationToken
	}
	return p, nil
}
