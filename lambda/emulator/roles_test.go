package emulator_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// roleVariable is set where this test program is run as a function or as an
// extension. It plays then what the variable says.
const roleVariable = "EMULATOR_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if name, ok := os.LookupEnv(roleVariable + "_" + filepath.Base(os.Args[0])); ok {
		role = name
	}
	if role == "" {
		os.Exit(m.Run())
	}
	roles()[role]()
}

func roles() map[string]func() {
	return map[string]func(){
		"puppet":     func() { (&runtime{}).serve(puppet) },
		"mirror":     func() { (&runtime{}).serve(mirror) },
		"batch":      func() { (&runtime{}).serve(batch) },
		"watch":      watch,
		"official":   official,
		"init-error": initError,
		"init-exit":  func() { os.Exit(4) },
		"init-hang":  func() { select {} },
		"init-once":  initOnce,
	}
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// zipOf packs this program under the name.
func zipOf(t testing.TB, mode os.FileMode, name string) string {
	t.Helper()
	program, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, Method: zip.Store}
	h.SetMode(mode)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(program)
	}
	if err == nil {
		err = z.Close()
	}
	path := filepath.Join(t.TempDir(), "code.zip")
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// runtime is a client of the Runtime API with nothing but net/http.
type runtime struct {
	id string
	r  *http.Response
}

func api(path string) string {
	return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + path
}

func post(path, body string, header ...string) *http.Response {
	r, err := http.NewRequest(http.MethodPost, api(path), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	return resp
}

// serve answers events until it is killed.
func (c *runtime) serve(handle func(c *runtime, event []byte)) {
	for {
		resp, err := http.Get(api("/2018-06-01/runtime/invocation/next"))
		if err != nil {
			panic(err)
		}
		event, err := io.ReadAll(resp.Body)
		if err != nil {
			panic(err)
		}
		c.r, c.id = resp, resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		handle(c, event)
	}
}

func (c *runtime) answer(body string) *http.Response {
	return post("/2018-06-01/runtime/invocation/"+c.id+"/response", body)
}

// order is an event for the puppet.
type order struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	Code int    `json:"code,omitempty"`
	Size int    `json:"size,omitempty"`
}

// description is what the puppet knows of its invocation.
type description struct {
	ID, ARN, Trace, Event, Dir string
	Deadline                   int64
	Env                        map[string]string
}

// puppet does as it is told.
func puppet(c *runtime, event []byte) {
	var o order
	json.Unmarshal(event, &o) // anything else is an order to do nothing
	switch o.Do {
	case "describe":
		fmt.Println("said by the puppet")
		text, _ := json.Marshal(c.describe(event))
		c.answer(string(text))
		return
	case "fail":
		post("/2018-06-01/runtime/invocation/"+c.id+"/error", o.Text)
		return
	case "exit":
		os.Exit(o.Code)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hang":
		select {}
	case "count":
		for n := 0; ; n++ {
			fmt.Println(n)
			time.Sleep(10 * time.Millisecond)
		}
	case "chatter":
		said := make(chan struct{})
		go func() {
			fmt.Println("chatter")
			close(said)
			for {
				fmt.Println("chatter")
				time.Sleep(time.Millisecond)
			}
		}()
		<-said
	case "burn": // so many milliseconds of the processor
		for begin := processorTime(); processorTime()-begin < time.Duration(o.Code)*time.Millisecond; {
		}
	case "eat": // until there is no more
		for all := [][]byte{}; ; {
			all = append(all, bytes.Repeat([]byte{1}, 8<<20))
		}
	case "visit":
		http.Get(o.Text)
	}
	if o.Size > 0 {
		c.answer(`"` + strings.Repeat("x", o.Size-2) + `"`)
		return
	}
	text, _ := json.Marshal(o.Text)
	c.answer(string(text))
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *runtime) describe(event []byte) description {
	h := c.r.Header
	d := description{ID: c.id, ARN: h.Get("Lambda-Runtime-Invoked-Function-Arn"), Trace: h.Get("Lambda-Runtime-Trace-Id"), Event: string(event), Env: map[string]string{}}
	d.Deadline, _ = strconv.ParseInt(h.Get("Lambda-Runtime-Deadline-Ms"), 10, 64)
	d.Dir, _ = os.Getwd()
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		d.Env[name] = value
	}
	return d
}

// mirror answers an HTTP request with the event as the body, or as the header
// X-Answer says.
func mirror(c *runtime, event []byte) {
	var e struct {
		Headers    map[string]string
		MultiValue map[string][]string `json:"multiValueHeaders"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		panic(err)
	}
	for _, name := range []string{"x-answer", "X-Answer"} {
		if a := e.Headers[name]; a != "" {
			c.answer(a)
			return
		}
		if a := e.MultiValue[name]; a != nil {
			c.answer(a[0])
			return
		}
	}
	text, err := json.Marshal(map[string]any{"statusCode": 200, "body": string(event)})
	if err != nil {
		panic(err)
	}
	c.answer(string(text))
}

// batch tells a visitor's book of each message, and answers what the messages
// that begin with "answer:" say.
func batch(c *runtime, event []byte) {
	var e struct {
		Records []struct{ MessageID, Body string }
	}
	if err := json.Unmarshal(event, &e); err != nil {
		panic(err)
	}
	answer := `{"batchItemFailures":[]}`
	for _, r := range e.Records {
		if rest, ok := strings.CutPrefix(r.Body, "answer:"); ok {
			answer = strings.ReplaceAll(rest, "ID", r.MessageID)
		}
	}
	if book := os.Getenv("BOOK"); book != "" {
		if resp, err := http.Post(book, "application/json", bytes.NewReader(event)); err == nil {
			resp.Body.Close()
		}
	}
	if answer == "fail" {
		post("/2018-06-01/runtime/invocation/"+c.id+"/error", `{}`)
		return
	}
	c.answer(answer)
}

func initError() {
	post("/2018-06-01/runtime/init/error", `{"errorType":"Runtime.Configuration","errorMessage":"no key"}`,
		"Lambda-Runtime-Function-Error-Type", "Runtime.Configuration")
	os.Exit(1)
}

// initOnce fails at its first start.
func initOnce() {
	f, err := os.OpenFile(os.Getenv("FLAG"), os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		f.Close()
		os.Exit(5)
	}
	(&runtime{}).serve(puppet)
}

// gate is a place that functions visit and that lets nobody go until it is
// opened.
type gate struct {
	t      testing.TB
	url    string
	came   chan struct{}
	opened chan struct{}
	once   sync.Once
}

func newGate(t testing.TB) *gate {
	g := &gate{t: t, came: make(chan struct{}, 1000), opened: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.came <- struct{}{}
		select {
		case <-g.opened:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { g.open(); server.Close() })
	g.url = server.URL
	return g
}

func (g *gate) wait(n int) {
	g.t.Helper()
	limit := time.After(time.Minute)
	for range n {
		select {
		case <-g.came:
		case <-limit:
			g.t.Fatal("nobody came to the gate for a minute")
		}
	}
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

// processState returns the letter that /proc has for a process.
func processState(t testing.TB, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest[:1]
}
