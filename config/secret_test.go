package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"narthex/config"
)

func TestSecretExpand(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"TOKEN": "s3$cr}t", "EMPTY": ""}[name]
		return v, ok
	}
	f := func(text, want, wantErr string) {
		t.Helper()
		got, err := config.ParseSecret(text, env)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if string(got) != want || msg != wantErr {
			t.Errorf("%q: got %q, %q", text, string(got), msg)
		}
	}
	f("plain", "plain", "")
	f("${TOKEN}", "s3$cr}t", "")
	f("a${TOKEN}b${EMPTY}c", "as3$cr}tbc", "")
	f("$$5 $${TOKEN}", "$5 ${TOKEN}", "")
	f("${NONE}", "", `x.yml:3: token: the environment variable "NONE" is not set`)
	const lone = "x.yml:3: token: a lone $: want ${NAME} for a variable of the environment, $$ for a dollar"
	f("hunter$", "", lone)
	f("hunter$2", "", lone)
	f("${", "", lone)
	f("${}", "", lone)
	f("$TOKEN}", "", lone)
	if _, err := config.ParseSecret("${TOKEN}", nil); err == nil {
		t.Error("without an environment: no error")
	}
}

func TestSecretHides(t *testing.T) {
	v := struct{ Token config.Secret }{"hunter2"}
	var out strings.Builder
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", v, v, v, v.Token, v.Token)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "token", v.Token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	out.Write(y)
	if got := out.String(); strings.Contains(got, "hunter") || strings.Count(got, "<secret>")+strings.Count(got, `\u003csecret\u003e`) != 9 {
		t.Errorf("got %s", got)
	}
	if got := config.Secret("").String(); got != "" {
		t.Errorf("none: got %q", got)
	}
}
