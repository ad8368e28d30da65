package cel_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"narthex/probe/cel"
)

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEval(t *testing.T) {
	for _, tt := range []struct {
		expression, body string
		want             bool
		fails            string
	}{
		{expression: `body.status == "up"`, body: `{"status":"up"}`, want: true},
		{expression: `body.status == "up"`, body: `{"status":"down"}`},
		{expression: `body.queue > 10.0`, body: `{"queue":11}`, want: true},
		{expression: `body.queue > 10`, body: `{"queue":11}`, want: true},
		{expression: `size(body) == 2 && body[1] == "b"`, body: `["a","b"]`, want: true},
		{expression: `body.parts.all(p, p.ok)`, body: `{"parts":[{"ok":true},{"ok":false}]}`},
		{expression: `has(body.error)`, body: `{"error":null}`, want: true},
		{expression: `body.error == null`, body: `{"error":null}`, want: true},
		{expression: `body.name.matches("^a.*z$")`, body: `{"name":"abcz"}`, want: true},
		{expression: `body == "x"`, body: `"x"`, want: true},
		{expression: `body.none`, body: `{}`, fails: "no such key"},
		{expression: `body.n`, body: `{"n":1}`, fails: "want a boolean"},
		{expression: `body.n > "x"`, body: `{"n":1}`, fails: "no such overload"},
	} {
		p, err := cel.Compile(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		got, err := p.Eval(t.Context(), decode(t, tt.body))
		switch {
		case tt.fails == "" && (err != nil || got != tt.want):
			t.Errorf("%s of %s: got %v, %v, want %v", tt.expression, tt.body, got, err, tt.want)
		case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
			t.Errorf("%s of %s: got %v, %v, want an error with %q", tt.expression, tt.body, got, err, tt.fails)
		}
		if p.String() != tt.expression {
			t.Errorf("%s: its text is %s", tt.expression, p)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, expression := range []string{"", "body.", "body +", "nothing == 1", `"a" + 1`} {
		if _, err := cel.Compile(expression); err == nil || !strings.Contains(err.Error(), "CEL") {
			t.Errorf("%q: got %v", expression, err)
		}
	}
}

// TestEvalEnds has an expression that goes through a list as often as it is long,
// to the power of four.
func TestEvalEnds(t *testing.T) {
	p, err := cel.Compile(`body.all(a, body.all(b, body.all(c, body.all(d, a + b + c + d >= 0.0))))`)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 3000)
	for i := range list {
		list[i] = float64(i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := p.Eval(ctx, list); err == nil {
		t.Error("it has no end, and yet a value")
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestEvalAtTheSameTime(t *testing.T) {
	p, err := cel.Compile(`body.n == 1`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if is, err := p.Eval(t.Context(), map[string]any{"n": 1.0}); err != nil || !is {
				t.Errorf("got %v, %v", is, err)
			}
		})
	}
	wg.Wait()
}
