package accesslog_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"narthex"
	"narthex/accesslog"
)

// totals are what a log comes to, for goaccess and for us.
type totals struct {
	Requests, Bytes float64
	Status          map[string]float64
}

// goaccess has a real program (Debian's goaccess) read a log.
func goaccess(t *testing.T, format string, log []byte) totals {
	t.Helper()
	path, err := exec.LookPath("goaccess")
	if err != nil {
		t.Fatal("goaccess is not installed, the Debian package that this test compares with: ", err)
	}
	dir := t.TempDir()
	file, report := filepath.Join(dir, "access.log"), filepath.Join(dir, "report.json")
	if err := os.WriteFile(file, log, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, file, "--log-format="+format, "--no-global-config", "--no-progress", "-o", report)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		General struct {
			Valid     float64 `json:"valid_requests"`
			Bandwidth float64 `json:"bandwidth"`
		} `json:"general"`
		Codes struct {
			Data []struct {
				Items []struct {
					Data string
					Hits struct{ Count float64 }
				}
			}
		} `json:"status_codes"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	out := totals{r.General.Valid, r.General.Bandwidth, map[string]float64{}}
	for _, class := range r.Codes.Data {
		for _, item := range class.Items {
			code, _, _ := strings.Cut(item.Data, " ")
			out.Status[code] += item.Hits.Count
		}
	}
	return out
}

// TestGoAccess compares totals with goaccess on generated logs of the formats
// that it knows. There are no answers in them that it takes for failures (000,
// or no status).
func TestGoAccess(t *testing.T) {
	const lines = 1000
	r := rand.New(rand.NewPCG(7, 7))
	formats := map[string]func(i int, method, path, status string, size int) string{
		"CLOUDFRONT": func(i int, method, path, status string, size int) string {
			cols := []string{"2026-01-02", clock(i), "FRA56-P7", fmt.Sprint(size), "192.0.2.7", method, "d1.cloudfront.net", path, status, "-", "curl/8.5", "-", "-",
				"Hit", "id==", "shop.example", "https", "300", "0.012", "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit", "HTTP/2.0", "-", "-", "443", "0.010", "Hit", "text/html", "1", "-", "-"}
			return strings.Join(cols, "\t")
		},
		"AWSALB": func(i int, method, path, status string, size int) string {
			return fmt.Sprintf(`https 2026-01-02T%s.123456Z app/shop/50dc 192.0.2.7:2817 10.0.0.1:80 0.001 0.048 0.000 %s %s 34 %d "%s https://shop.example:443%s HTTP/2.0" "curl/8.5" ECDHE TLSv1.2 arn "Root=1" "shop.example" "arn" 1 2026-01-02T%s.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`,
				clock(i), status, status, size, method, path, clock(i))
		},
		"AWSS3": func(i int, method, path, status string, size int) string {
			return fmt.Sprintf(`%064d shop [02/Jan/2026:%s +0000] 192.0.2.7 - 3E57 REST.%s.OBJECT key "%s %s HTTP/1.1" %s - %d %d 70 10 "-" "curl/8.5" - id= SigV4 ECDHE AuthHeader shop.s3.amazonaws.com TLSv1.2 - -`,
				i, clock(i), method, method, path, status, size, size)
		},
		"COMBINED": func(i int, method, path, status string, size int) string {
			return fmt.Sprintf(`192.0.2.7 - - [02/Jan/2026:%s +0000] "%s %s HTTP/1.1" %s %d "-" "curl/8.5"`, clock(i), method, path, status, size)
		},
		"COMMON": func(i int, method, path, status string, size int) string {
			return fmt.Sprintf(`192.0.2.7 - - [02/Jan/2026:%s +0000] "%s %s HTTP/1.1" %s %d`, clock(i), method, path, status, size)
		},
	}
	for format, line := range formats {
		var log strings.Builder
		if format == "CLOUDFRONT" {
			log.WriteString("#Version: 1.0\n#Fields: " + strings.Join(cloudFrontColumns, " ") + "\n")
		}
		for i := range lines {
			method := []string{"GET", "POST", "HEAD"}[r.IntN(3)]
			status := []string{"200", "200", "200", "304", "404", "500", "301"}[r.IntN(7)]
			log.WriteString(line(i, method, fmt.Sprint("/v1/users/", r.IntN(1000)), status, r.IntN(1e6)) + "\n")
		}
		counts := read(t, accesslog.Options{}, "log", []byte(log.String()))
		got := totals{Status: map[string]float64{}}
		for _, s := range counts.Series() {
			switch v := s.Samples[0].Value; s.Labels.Get(narthex.MetricName) {
			case "http_requests_total":
				got.Requests += v
				got.Status[s.Labels.Get("status")] += v
			case "http_response_bytes_total":
				got.Bytes += v
			}
		}
		if got.Requests != lines {
			t.Errorf("%s: %v requests: %+v", format, got.Requests, counts.Report)
		}
		if d := cmp.Diff(goaccess(t, format, []byte(log.String())), got); d != "" {
			t.Errorf("%s: goaccess -, narthex +\n%s", format, d)
		}
	}
}

func clock(i int) string { return fmt.Sprintf("%02d:%02d:%02d", i/3600, i/60%60, i%60) }

// cloudFrontColumns are the 33 of the standard log since December 2019.
var cloudFrontColumns = strings.Fields(`date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)
	cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher
	x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type
	sc-content-type sc-content-len sc-range-start sc-range-end`)
