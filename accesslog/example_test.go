package accesslog_test

import (
	"context"
	"fmt"
	"strings"

	"narthex/accesslog"
)

// What a log comes to, by default.
func Example() {
	log := strings.NewReader(`192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /v1/users/17 HTTP/1.1" 200 512
192.0.2.8 - - [02/Jan/2026:03:04:06 +0000] "GET /v1/users/18 HTTP/1.1" 200 256
192.0.2.9 - - [02/Jan/2026:03:04:07 +0000] "GET /wp-login.php HTTP/1.1" 404 10
`)
	r, err := accesslog.New(accesslog.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	counts, err := r.Read(context.Background(), "access.log", log)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range counts.Series() {
		fmt.Println(s.Labels, s.Samples[0].Value)
	}
	for _, share := range counts.Routes() {
		fmt.Println(share)
	}
	// Output:
	// http_requests_total{method="GET",route="/v1/users/{id}",status="200"} 2
	// http_requests_total{method="GET",route="other",status="404"} 1
	// http_response_bytes_total{route="/v1/users/{id}"} 768
	// http_response_bytes_total{route="other"} 10
	//  66.67%  GET /v1/users/{id}
	//  33.33%  other
}
