// Command benchlogs does one job with a log and exits, so that its CPU time and
// memory can be measured as a process: benchlogs JOB FILE [ROUTE...]. It prints
// the lines it counted and the most memory it had resident, in KiB.
package main

import (
	"bufio"
	stdgzip "compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"narthex/accesslog"
	"narthex/internal/gunzip"
)

func main() {
	lines, err := run(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(lines, resident())
}

func run(job, name string, routes []string) (int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	switch job {
	case "gunzip": // the floor
		z, err := gzip.NewReader(bufio.NewReaderSize(file, 64<<10))
		if err != nil {
			return 0, err
		}
		n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{z}, make([]byte, 256<<10))
		return n, err
	case "inflate": // what narthex has for it
		var z gunzip.Reader
		z.Reset(file)
		for n := int64(0); ; {
			b, err := z.Next(0)
			if n += int64(len(b)); err == io.EOF {
				return n, nil
			} else if err != nil {
				return 0, err
			}
		}
	case "naive":
		return naive(file, nil)
	case "naive_routes":
		return naive(file, expressions(routes))
	}
	o := accesslog.Options{Routes: routes}
	if job != "default" {
		o.Metrics = []accesslog.Metric{
			{Name: "requests_total", Of: "requests", Labels: []accesslog.Label{{Name: "status"}, {Name: "method"}, {Name: "route"}}},
			{Name: "duration_seconds", Of: "duration", Labels: []accesslog.Label{{Name: "route"}}},
		}
	}
	r, err := accesslog.New(o)
	if err != nil {
		return 0, err
	}
	counts, err := r.Read(context.Background(), name, file)
	if err != nil {
		return 0, err
	}
	if n := len(counts.Series()); n < 50 {
		return 0, fmt.Errorf("%d series", n)
	}
	return counts.Report.Counted, nil
}

// expressions are routes as regular expressions.
func expressions(routes []string) (out []*regexp.Regexp) {
	for _, route := range routes {
		e := regexp.QuoteMeta(route)
		e = regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(e, `[^/]+`)
		e = strings.ReplaceAll(e, `\*\*`, `.*`)
		out = append(out, regexp.MustCompile("^"+e+"$"))
	}
	return out
}

// naive is what one writes first: the standard library, a scanner,
// strings.Split, and for routes a list of regular expressions. It counts
// status by method (by route), and makes a histogram (by route).
func naive(file io.Reader, routes []*regexp.Regexp) (int64, error) {
	z, err := stdgzip.NewReader(file)
	if err != nil {
		return 0, err
	}
	type key struct {
		status, method string
		route          int
	}
	counts, sums, buckets := map[key]int64{}, map[int]float64{}, map[int][]int64{}
	bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	lines := int64(0)
	scanner := bufio.NewScanner(z)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		cols := strings.Split(line, "\t")
		route := slices.IndexFunc(routes, func(e *regexp.Regexp) bool { return e.MatchString(cols[7]) })
		counts[key{cols[8], cols[5], route}]++
		taken, err := strconv.ParseFloat(cols[18], 64)
		if err != nil {
			return 0, err
		}
		if buckets[route] == nil {
			buckets[route] = make([]int64, len(bounds)+1)
		}
		at, _ := slices.BinarySearch(bounds, taken)
		buckets[route][at]++
		sums[route] += taken
		lines++
	}
	return lines, scanner.Err()
}

// resident returns the process's VmHWM.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kib, _ := strconv.ParseInt(strings.Fields(after + " 0")[0], 10, 64)
	return kib
}
