package probe_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// at starts a server for each run of a comparison.
func at(h http.HandlerFunc) func(*testing.T, *authority) string {
	return func(t *testing.T, _ *authority) string { return serve(t, h) }
}

// raw answers every connection with a text, once it has read something.
func raw(text string) func(*testing.T, *authority) string {
	return func(t *testing.T, _ *authority) string {
		return "http://" + listen(t, func(c net.Conn) {
			if _, err := c.Read(make([]byte, 4096)); err == nil {
				_, _ = io.WriteString(c, text)
			}
		})
	}
}

func onlyStatus(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

// onlyIf answers 200 if a request is as wanted, else 400.
func onlyIf(wanted func(r *http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !wanted(r) {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
}

func httpComparisons() []comparison {
	hello := text("hello")
	out := []comparison{
		{name: "no protocol", module: "prober: http", target: func(t *testing.T, _ *authority) string { return strings.TrimPrefix(serve(t, hello), "http://") }},
		{name: "no protocol, with a path", module: "prober: http", target: func(t *testing.T, _ *authority) string {
			return strings.TrimPrefix(serve(t, onlyIf(func(r *http.Request) bool { return r.URL.Path == "/a b" && r.URL.RawQuery == "q=1%2B2" })), "http://") + "/a%20b?q=1%2B2"
		}},
		{name: "upper case protocol", since: 28, module: "prober: http", target: func(t *testing.T, _ *authority) string { return "HTTP" + strings.TrimPrefix(serve(t, hello), "http") }},
		{name: "plus in the query", module: "prober: http", target: func(t *testing.T, _ *authority) string {
			return serve(t, onlyIf(func(r *http.Request) bool { return r.URL.RawQuery == "q=a+b" })) + "/?q=a+b"
		}},
		{name: "fragment", module: "prober: http", target: func(t *testing.T, _ *authority) string { return serve(t, hello) + "/#there" }},
		{name: "userinfo", module: "prober: http", target: func(t *testing.T, _ *authority) string {
			s := serve(t, onlyIf(func(r *http.Request) bool { u, p, _ := r.BasicAuth(); return u == "u" && p == "p" }))
			return strings.Replace(s, "http://", "http://u:p@", 1)
		}},
		{name: "two codes are valid", module: "prober: http\nhttp: {valid_status_codes: [404, 200]}", target: at(onlyStatus(404))},
		{name: "one code is valid, another comes", module: "prober: http\nhttp: {valid_status_codes: [404]}", target: at(hello)},
		{name: "HEAD", module: "prober: http\nhttp: {method: HEAD}", target: at(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "77") })},
		{name: "POST with a body", module: "prober: http\nhttp: {method: POST, body: 'a=1&b=2'}", target: at(onlyIf(func(r *http.Request) bool {
			b, _ := io.ReadAll(r.Body)
			return r.Method == "POST" && string(b) == "a=1&b=2" && r.ContentLength == 7
		}))},
		{name: "GET with a body", module: "prober: http\nhttp: {body: ping}", target: at(onlyIf(func(r *http.Request) bool {
			b, _ := io.ReadAll(r.Body)
			return string(b) == "ping"
		}))},
		{name: "PUT", module: "prober: http\nhttp: {method: PUT}", target: at(onlyIf(func(r *http.Request) bool { return r.Method == "PUT" }))},
		{name: "method that there is not", module: "prober: http\nhttp: {method: 'GE T'}", target: at(hello)},
		{name: "headers", module: "prober: http\nhttp:\n  headers: {x-one: a, X-Two: 'b c', Accept-Language: de}", target: at(onlyIf(func(r *http.Request) bool {
			return r.Header.Get("X-One") == "a" && r.Header.Get("X-Two") == "b c" && r.Header.Get("Accept-Language") == "de"
		}))},
		{name: "Host header", module: "prober: http\nhttp:\n  headers: {host: shop.example}", target: at(onlyIf(func(r *http.Request) bool { return r.Host == "shop.example" }))},
		{name: "hostname", module: "prober: http", hostname: "shop.example", target: at(onlyIf(func(r *http.Request) bool { return r.Host == "shop.example" }))},
		{name: "User-Agent of one's own", module: "prober: http\nhttp:\n  headers: {User-Agent: me}", target: at(onlyIf(func(r *http.Request) bool { return r.UserAgent() == "me" }))},
		{name: "no Accept-Encoding is sent", module: "prober: http", target: at(onlyIf(func(r *http.Request) bool { return r.Header.Get("Accept-Encoding") == "" }))},
		{name: "the connection is closed", module: "prober: http", target: at(onlyIf(func(r *http.Request) bool { return r.Close }))},
		{name: "basic auth", module: "prober: http\nhttp:\n  basic_auth: {username: u, password: p}", target: at(onlyIf(func(r *http.Request) bool {
			u, p, _ := r.BasicAuth()
			return u == "u" && p == "p"
		}))},
		{name: "bearer token", module: "prober: http\nhttp: {bearer_token: abcd}", target: at(onlyIf(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer abcd" }))},
		{name: "authorization", module: "prober: http\nhttp:\n  authorization: {type: Token, credentials: abcd}", target: at(onlyIf(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Token abcd" }))},
		{name: "a header Authorization comes first", module: "prober: http\nhttp:\n  headers: {Authorization: Mine}\n  bearer_token: abcd", target: at(onlyIf(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Mine" }))},
		{name: "http_headers", since: 26, module: "prober: http\nhttp:\n  http_headers: {X-A: {values: [one, two], secrets: [three]}}", target: at(onlyIf(func(r *http.Request) bool { return strings.Join(r.Header["X-A"], ",") == "one,two,three" }))},
		{name: "credentials in a file that is not there", module: "prober: http\nhttp: {bearer_token_file: /nonexistent/token}", target: at(hello)},
		{name: "body in a file that is not there", since: 24, module: "prober: http\nhttp: {body_file: /nonexistent/body}", target: at(hello)},
		{name: "Last-Modified", module: "prober: http", target: at(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
		})},
		{name: "Last-Modified that is no date", module: "prober: http", target: at(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Last-Modified", "yesterday") })},
		{name: "version that is valid", module: "prober: http\nhttp: {valid_http_versions: [HTTP/1.0, HTTP/1.1]}", target: at(hello)},
		{name: "version that is not valid", module: "prober: http\nhttp: {valid_http_versions: [HTTP/2.0]}", target: at(hello)},
		{name: "HTTP/1.0", module: "prober: http", target: raw("HTTP/1.0 200 OK\r\n\r\nold")},
		{name: "HTTP/1.0 is not valid", module: "prober: http\nhttp: {valid_http_versions: [HTTP/1.1]}", target: raw("HTTP/1.0 200 OK\r\n\r\nold")},
		{name: "chunked", module: "prober: http", target: at(func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
				w.(http.Flusher).Flush()
			}
		})},
		{name: "large body", module: "prober: http", target: at(text(strings.Repeat("0123456789", 300_000)))},
		{name: "body shorter than it says", module: "prober: http", target: raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour")},
		{name: "chunk that is broken", module: "prober: http", target: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nfour")},
		{name: "no HTTP", module: "prober: http", target: raw("SSH-2.0-OpenSSH_9.2\r\n")},
		{name: "nothing is answered", module: "prober: http", target: raw("")},
		{name: "100 Continue first", module: "prober: http", target: raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
		{name: "103 Early Hints first", module: "prober: http", target: raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
		{name: "nobody listens", module: "prober: http", target: func(t *testing.T, _ *authority) string { return "http://" + nobody(t) }},
		{name: "target that is no address", module: "prober: http", target: func(*testing.T, *authority) string { return "http://[::1" }},
		{name: "target with a space in the host", module: "prober: http", target: func(*testing.T, *authority) string { return "http://a b/" }},
		{name: "name that there is not", module: "prober: http", target: func(*testing.T, *authority) string { return "http://no-such-host.invalid/" }},
		{name: "fail_if_ssl", module: "prober: http\nhttp: {fail_if_ssl: true}", target: at(hello)},
		{name: "fail_if_not_ssl", module: "prober: http\nhttp: {fail_if_not_ssl: true}", target: at(hello)},
		{name: "TLS where none is spoken", module: "prober: http", target: func(t *testing.T, _ *authority) string { return strings.Replace(serve(t, hello), "http:", "https:", 1) }},
		{name: "module with a timeout", module: "prober: http\ntimeout: 300ms", target: raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")},
		{name: "it takes too long to answer", module: "prober: http\ntimeout: 300ms", target: func(t *testing.T, _ *authority) string {
			return "http://" + listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		}},
		{name: "it takes too long to send the body", module: "prober: http\ntimeout: 300ms", target: func(t *testing.T, _ *authority) string {
			return "http://" + listen(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour")
				_, _ = io.Copy(io.Discard, c)
			})
		}},
	}
	for _, code := range []int{200, 201, 204, 206, 299, 304, 400, 401, 403, 404, 418, 429, 500, 502, 503, 599} {
		out = append(out, comparison{name: "status " + strconv.Itoa(code), module: "prober: http", target: at(onlyStatus(code))})
	}
	return out
}

func redirectComparisons() []comparison {
	// chain redirects n times, then answers.
	chain := func(n, code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			i, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			if i < n {
				http.Redirect(w, r, "/"+strconv.Itoa(i+1), code)
			}
		}
	}
	// away redirects to another server.
	away := func(code int, h http.HandlerFunc) func(*testing.T, *authority) string {
		return func(t *testing.T, _ *authority) string {
			other := serve(t, h)
			return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, code) })
		}
	}
	out := []comparison{
		{name: "ten redirects", module: "prober: http", target: at(chain(10, 302))},
		{name: "eleven redirects", module: "prober: http", target: at(chain(11, 302))},
		{name: "eleven redirects, and 302 is valid", module: "prober: http\nhttp: {valid_status_codes: [302]}", target: at(chain(11, 302))},
		{name: "redirects are not followed", module: "prober: http\nhttp: {follow_redirects: false}", target: at(chain(1, 302))},
		{name: "redirects are not followed, and that is valid", module: "prober: http\nhttp: {follow_redirects: false, valid_status_codes: [302]}", target: at(chain(1, 302))},
		{name: "no_follow_redirects", module: "prober: http\nhttp: {no_follow_redirects: true, valid_status_codes: [302]}", target: at(chain(1, 302))},
		{name: "the body of a redirect that is not followed", module: "prober: http\nhttp: {follow_redirects: false, valid_status_codes: [302], fail_if_body_not_matches_regexp: [Found]}", target: at(chain(1, 302)), differs: []string{"body-of-a-redirect"}},
		{name: "the header of a redirect", module: "prober: http\nhttp:\n  follow_redirects: false\n  valid_status_codes: [302]\n  fail_if_header_not_matches: [{header: Location, regexp: '^/1$'}]", target: at(chain(1, 302))},
		{name: "redirect to another server", module: "prober: http", target: away(302, text("other"))},
		{name: "redirect to nobody", module: "prober: http", target: func(t *testing.T, _ *authority) string {
			gone := nobody(t)
			return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://"+gone, http.StatusFound) })
		}},
		{name: "redirect without Location", module: "prober: http", target: at(onlyStatus(302))},
		{name: "redirect to what can't be read", module: "prober: http", target: at(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[::1")
			w.WriteHeader(302)
		})},
		{name: "redirect to another protocol", module: "prober: http", target: at(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "gopher://127.0.0.1/")
			w.WriteHeader(302)
		})},
		{name: "cookies are kept", module: "prober: http", target: at(func(w http.ResponseWriter, r *http.Request) {
			if c, err := r.Cookie("seen"); err == nil && c.Value == "1" {
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Path: "/"})
			http.Redirect(w, r, "/again", http.StatusFound)
		})},
		{name: "the Host header stays on the way", module: "prober: http\nhttp:\n  headers: {Host: shop.example}", target: at(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Host != "shop.example":
				w.WriteHeader(400)
			case r.URL.Path != "/next":
				http.Redirect(w, r, "/next", http.StatusFound)
			}
		})},
		{name: "credentials stay on the same server", module: "prober: http\nhttp: {bearer_token: abcd}", target: at(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") != "Bearer abcd":
				w.WriteHeader(401)
			case r.URL.Path != "/next":
				http.Redirect(w, r, "/next", http.StatusFound)
			}
		})},
		{name: "credentials do not go to another server", module: "prober: http\nhttp: {bearer_token: abcd}", target: away(302, onlyIf(func(r *http.Request) bool { return r.Header.Get("Authorization") == "" })), differs: []string{"credentials-stay-home"}},
		{name: "headers of one's own do not go to another server", module: "prober: http\nhttp:\n  headers: {X-Api-Key: abcd}", target: away(302, onlyIf(func(r *http.Request) bool { return r.Header.Get("X-Api-Key") == "" })), differs: []string{"credentials-stay-home"}},
		{name: "Accept goes to another server", module: "prober: http\nhttp:\n  headers: {Accept: text/html}", target: away(302, onlyIf(func(r *http.Request) bool { return r.Header.Get("Accept") == "text/html" }))},
		{name: "POST becomes GET after 302", module: "prober: http\nhttp: {method: POST, body: a}", target: away(302, onlyIf(func(r *http.Request) bool { return r.Method == "GET" }))},
		{name: "POST stays POST after 307", module: "prober: http\nhttp: {method: POST, body: abc}", target: away(307, onlyIf(func(r *http.Request) bool {
			b, _ := io.ReadAll(r.Body)
			return r.Method == "POST" && string(b) == "abc"
		}))},
		{name: "from http to https", module: "prober: http\nhttp: {tls_config: {ca_file: CA}}", target: func(t *testing.T, ca *authority) string {
			other := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}}, text("safe"))
			return serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
		}},
		{name: "from https to http", module: "prober: http\nhttp: {tls_config: {ca_file: CA}, fail_if_not_ssl: true}", target: func(t *testing.T, ca *authority) string {
			other := serve(t, text("plain"))
			return serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
		}},
		{name: "server_name is not for another server", module: "prober: http\nhttp: {tls_config: {ca_file: CA, server_name: shop.example}}", target: func(t *testing.T, ca *authority) string {
			other := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "127.0.0.1")}}, text("other"))
			return serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil, "shop.example")}}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, http.StatusFound) })
		}},
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		out = append(out, comparison{name: "redirect " + strconv.Itoa(code), module: "prober: http", target: at(chain(1, code))})
	}
	return out
}

func bodyComparisons() []comparison {
	packed := func(kind string, body string) []byte {
		var b bytes.Buffer
		var w io.WriteCloser
		switch kind {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w, _ = flate.NewWriter(&b, 6)
		case "br":
			w = brotli.NewWriter(&b)
		}
		_, _ = io.WriteString(w, body)
		_ = w.Close()
		return b.Bytes()
	}
	sends := func(encoding string, b []byte) func(*testing.T, *authority) string {
		return at(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			_, _ = w.Write(b)
		})
	}
	text4k := strings.Repeat("all work and no play\n", 200)
	var out []comparison
	for _, kind := range []string{"gzip", "deflate", "br"} {
		b := packed(kind, text4k)
		out = append(out,
			comparison{name: kind, module: "prober: http\nhttp: {compression: " + kind + "}", target: sends(kind, b)},
			comparison{name: kind + " that is not unpacked", module: "prober: http", target: sends(kind, b)},
			comparison{name: kind + " with a match", module: "prober: http\nhttp: {compression: " + kind + ", fail_if_body_not_matches_regexp: ['no play']}", target: sends(kind, b)},
			comparison{name: kind + " that is none", module: "prober: http\nhttp: {compression: " + kind + "}", target: sends(kind, []byte("this is not compressed at all, not in the least"))},
			comparison{name: kind + " that ends early", module: "prober: http\nhttp: {compression: " + kind + "}", target: sends(kind, b[:len(b)/2])},
			comparison{name: kind + " of nothing", since: 28, module: "prober: http\nhttp: {compression: " + kind + "}", target: sends(kind, nil)},
			comparison{name: kind + " is asked for", module: "prober: http\nhttp: {compression: " + kind + ", headers: {Accept-Encoding: '" + kind + "'}}", target: sends(kind, b)},
			comparison{name: kind + " over the limit", module: "prober: http\nhttp: {compression: " + kind + ", body_size_limit: 1KB}", target: sends(kind, b)},
		)
	}
	re := func(key string, list ...string) string {
		return fmt.Sprintf("prober: http\nhttp:\n  %s: [%s]", key, strings.Join(list, ", "))
	}
	header := func(key, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Add(key, value) }
	}
	twice := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("X-Many", "one")
		w.Header().Add("X-Many", "two")
	}
	return append(out,
		comparison{name: "identity", module: "prober: http\nhttp: {compression: identity}", target: at(text(text4k))},
		comparison{name: "body under the limit", module: "prober: http\nhttp: {body_size_limit: 8KB}", target: at(text(text4k))},
		comparison{name: "body over the limit", module: "prober: http\nhttp: {body_size_limit: 1KB}", target: at(text(text4k))},
		comparison{name: "body of exactly the limit", module: "prober: http\nhttp: {body_size_limit: 1KB}", target: at(text(strings.Repeat("x", 1024)))},
		comparison{name: "body over the limit with a match", module: "prober: http\nhttp: {body_size_limit: 1KB, fail_if_body_not_matches_regexp: [work]}", target: at(text(text4k))},
		comparison{name: "body over 10 MiB without a limit", module: "prober: http", target: at(text(strings.Repeat("0123456789abcdef", 11<<16))), differs: []string{"body-limit"}},
		comparison{name: "body matches", module: re("fail_if_body_matches_regexp", "nothing", "work"), target: at(text(text4k))},
		comparison{name: "body does not match", module: re("fail_if_body_matches_regexp", "nothing"), target: at(text(text4k))},
		comparison{name: "body has to match", module: re("fail_if_body_not_matches_regexp", "work", "play"), target: at(text(text4k))},
		comparison{name: "body has to match and does not", module: re("fail_if_body_not_matches_regexp", "work", "pray"), target: at(text(text4k))},
		comparison{name: "body has to match and may not", module: "prober: http\nhttp: {fail_if_body_matches_regexp: [pray], fail_if_body_not_matches_regexp: [work]}", target: at(text(text4k))},
		comparison{name: "body is not looked at when the status is wrong", module: re("fail_if_body_matches_regexp", "work"), target: at(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = io.WriteString(w, text4k) })},
		comparison{name: "anchors", module: re("fail_if_body_not_matches_regexp", "'^all'", "'(?m)play$'"), target: at(text(text4k))},
		comparison{name: "empty body", module: re("fail_if_body_not_matches_regexp", "'^$'"), target: at(text(""))},
		comparison{name: "header matches", module: re("fail_if_header_matches", "{header: X-A, regexp: bad}"), target: at(header("X-A", "so bad"))},
		comparison{name: "header does not match", module: re("fail_if_header_matches", "{header: x-a, regexp: bad}"), target: at(header("X-A", "good"))},
		comparison{name: "header is missing", module: re("fail_if_header_matches", "{header: X-A, regexp: bad}"), target: at(text(""))},
		comparison{name: "header may be missing", module: re("fail_if_header_matches", "{header: X-A, regexp: bad, allow_missing: true}"), target: at(text(""))},
		comparison{name: "header has to match", module: re("fail_if_header_not_matches", "{header: X-A, regexp: good}"), target: at(header("X-A", "good"))},
		comparison{name: "header has to match and does not", module: re("fail_if_header_not_matches", "{header: X-A, regexp: good}"), target: at(header("X-A", "bad"))},
		comparison{name: "header has to match and is missing", module: re("fail_if_header_not_matches", "{header: X-A, regexp: good}"), target: at(text(""))},
		comparison{name: "header has to match and may be missing", module: re("fail_if_header_not_matches", "{header: X-A, regexp: good, allow_missing: true}"), target: at(text(""))},
		comparison{name: "one of two headers matches", module: re("fail_if_header_matches", "{header: X-Many, regexp: two}"), target: at(twice)},
		comparison{name: "one of two headers has to match", module: re("fail_if_header_not_matches", "{header: X-Many, regexp: two}"), target: at(twice)},
		comparison{name: "header and body", module: "prober: http\nhttp:\n  fail_if_header_not_matches: [{header: Content-Type, regexp: text}]\n  fail_if_body_not_matches_regexp: [pray]", target: at(text(text4k))},
		comparison{name: "CEL", since: 27, module: "prober: http\nhttp: {fail_if_body_json_not_matches_cel: 'body.status == \"up\"'}", target: at(text(`{"status":"up"}`))},
		comparison{name: "CEL that fails", since: 27, module: "prober: http\nhttp: {fail_if_body_json_not_matches_cel: 'body.status == \"up\"'}", target: at(text(`{"status":"down"}`))},
		comparison{name: "CEL that may not match", since: 27, module: "prober: http\nhttp: {fail_if_body_json_matches_cel: 'body.n > 3'}", target: at(text(`{"n":4}`))},
		comparison{name: "CEL of what is missing", since: 27, module: "prober: http\nhttp: {fail_if_body_json_matches_cel: 'body.none > 3'}", target: at(text(`{"n":4}`))},
		comparison{name: "CEL without JSON", since: 27, module: "prober: http\nhttp: {fail_if_body_json_matches_cel: 'body.n > 3'}", target: at(text("hello"))},
		comparison{name: "CEL that is no condition", since: 27, module: "prober: http\nhttp: {fail_if_body_json_matches_cel: 'body.n'}", target: at(text(`{"n":4}`))},
		comparison{name: "CEL and a regular expression", since: 27, module: "prober: http\nhttp: {fail_if_body_json_not_matches_cel: 'body.n == 4', fail_if_body_not_matches_regexp: [n]}", target: at(text(`{"n":4}`)), differs: []string{"regexp-and-cel"}},
	)
}

// proxyComparisons go through proxies on loopback that are there from the start:
// see authority.
func proxyComparisons() []comparison {
	via := func(settings string) string { return "prober: http\nhttp: {proxy_url: 'PROXY'" + settings + "}" }
	plain := at(onlyIf(func(r *http.Request) bool { return r.Header.Get("X-Via") == "proxy" }))
	safe := tlsAt(with("127.0.0.1"), text("safe"))
	return []comparison{
		{name: "through a proxy", module: via(""), target: plain},
		{name: "through a proxy, found by name", module: via(", skip_resolve_phase_with_proxy: true"), target: plain},
		{name: "through a proxy with TLS", module: via(", tls_config: {ca_file: CA}"), target: safe},
		{name: "through a proxy with TLS, found by name", module: via(", skip_resolve_phase_with_proxy: true, tls_config: {ca_file: CA}"), target: safe},
		{name: "through a proxy with HTTP/2", module: via(", tls_config: {ca_file: CA}"), target: tlsAt(speaking(0, 0, "h2", "http/1.1"), text("two"))},
		{name: "through a proxy, the certificate is wrong", module: via(""), target: safe, differs: []string{"tls-facts-when-refused"}},
		{name: "through a proxy with a redirect", module: via(""), target: at(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("X-Via") != "proxy":
				w.WriteHeader(400)
			case r.URL.Path != "/next":
				http.Redirect(w, r, "/next", http.StatusFound)
			}
		})},
		{name: "through a proxy, the Host header stays", module: via(""), target: func(t *testing.T, _ *authority) string {
			u, _ := url.Parse(serve(t, onlyIf(func(r *http.Request) bool { return strings.HasPrefix(r.Host, "localhost:") })))
			return "http://localhost:" + u.Port()
		}, differs: nil},
		{name: "credentials of a proxy", module: "prober: http\nhttp: {proxy_url: 'http://u:p@AUTHPROXY'}", target: plain},
		{name: "credentials of a proxy with TLS", module: "prober: http\nhttp: {proxy_url: 'http://u:p@AUTHPROXY', tls_config: {ca_file: CA}}", target: safe},
		{name: "credentials of a proxy are missing", module: "prober: http\nhttp: {proxy_url: 'http://AUTHPROXY'}", target: plain},
		{name: "credentials of a proxy with TLS are missing", module: "prober: http\nhttp: {proxy_url: 'http://AUTHPROXY', tls_config: {ca_file: CA}}", target: safe},
		{name: "headers of CONNECT", since: 24, module: "prober: http\nhttp: {proxy_url: 'http://AUTHPROXY', proxy_connect_header: {Proxy-Authorization: ['Basic dTpw']}, tls_config: {ca_file: CA}}", target: safe},
		{name: "proxy that is gone", module: "prober: http\nhttp: {proxy_url: 'http://127.0.0.1:1'}", target: plain},
		{name: "proxy that is gone, with TLS", module: "prober: http\nhttp: {proxy_url: 'http://127.0.0.1:1', tls_config: {ca_file: CA}}", target: safe},
		{name: "no_proxy", since: 24, module: "prober: http\nhttp: {proxy_url: 'http://127.0.0.1:1', no_proxy: 127.0.0.1}", target: at(text("direct"))},
		{name: "no_proxy for another leaves this machine out too", since: 24, module: "prober: http\nhttp: {proxy_url: 'http://127.0.0.1:1', no_proxy: example.com}", target: at(text("direct"))},
		{name: "a proxy finds the name", module: "prober: http\nhttp: {proxy_url: 'http://127.0.0.1:1', skip_resolve_phase_with_proxy: true}", target: func(*testing.T, *authority) string { return "http://name.invalid/" }},
		{name: "a name is looked up before the proxy is asked", module: "prober: http\nhttp: {proxy_url: 'http://127.0.0.1:1'}", target: func(*testing.T, *authority) string { return "http://name.invalid/" }},
	}
}

func addressComparisons() []comparison {
	here := func(host string) func(*testing.T, *authority) string {
		return func(t *testing.T, _ *authority) string {
			u, _ := url.Parse(serve(t, text("here")))
			return "http://" + net.JoinHostPort(host, u.Port())
		}
	}
	return []comparison{
		{name: "ip4 of a literal", module: "prober: http\nhttp: {preferred_ip_protocol: ip4}", target: here("127.0.0.1")},
		{name: "ip6 of an IPv4 literal", module: "prober: http\nhttp: {preferred_ip_protocol: ip6}", target: here("127.0.0.1")},
		{name: "ip6 alone of an IPv4 literal", module: "prober: http\nhttp: {preferred_ip_protocol: ip6, ip_protocol_fallback: false}", target: here("127.0.0.1")},
		{name: "ip4 alone of an IPv6 literal", module: "prober: http\nhttp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}", target: here("::1")},
		{name: "ip4 alone", module: "prober: http\nhttp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}", target: here("localhost")},
		{name: "ip4 preferred", module: "prober: http\nhttp: {preferred_ip_protocol: ip4}", target: here("localhost")},
		{name: "mapped address", module: "prober: http", target: here("::ffff:127.0.0.1")},
		{name: "the other loopback address", module: "prober: http", target: here("127.0.0.2")},
	}
}
