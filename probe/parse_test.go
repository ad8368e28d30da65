package probe_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"narthex/internal/golden"
	"narthex/probe"
)

// variables is an environment.
func variables(name string) (string, bool) {
	value, ok := map[string]string{"KEY": "s3cr3t"}[name]
	return value, ok
}

func parseFile(t *testing.T, file string) (map[string]*probe.Module, error) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return probe.ParseModules(filepath.Base(file), data, variables)
}

// TestBadModules holds the errors of each file against the .want file beside it.
func TestBadModules(t *testing.T) {
	files, err := filepath.Glob("testdata/modules/bad/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			modules, err := parseFile(t, file)
			if err == nil || modules != nil {
				t.Fatalf("got %v, %v", modules, err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("a secret is in %v", err)
			}
			golden.Check(t, strings.TrimSuffix(file, ".yml")+".want", err.Error()+"\n")
		})
	}
}

// TestGoodModules holds what each file says, beyond the defaults, against the .want
// file beside it, and what is shown of it against .shown.
func TestGoodModules(t *testing.T) {
	files, err := filepath.Glob("testdata/modules/good/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			modules, err := parseFile(t, file)
			if err != nil {
				t.Fatal(err)
			}
			var says, shown strings.Builder
			for _, name := range slices.Sorted(maps.Keys(modules)) {
				fmt.Fprintf(&says, "%s\n", name)
				differences(&says, " ", reflect.ValueOf(probe.Defaults(name)).Elem(), reflect.ValueOf(modules[name]).Elem())
				shown.WriteString(modules[name].Source())
			}
			golden.Check(t, strings.TrimSuffix(file, ".yml")+".want", says.String())
			golden.Check(t, strings.TrimSuffix(file, ".yml")+".shown", shown.String())
			for _, secret := range []string{"s3cr3t", "hunter2", "mysecret", "pa$$word", "costs", "value1", "Bearer t", "PONG"} {
				if strings.Contains(shown.String(), secret) {
					t.Errorf("%s is shown:\n%s", secret, shown.String())
				}
			}
		})
	}
}

// differences writes the exported fields in which got is not want.
func differences(b *strings.Builder, path string, want, got reflect.Value) {
	switch v := got.Interface().(type) {
	case *regexp.Regexp:
		if v != nil {
			fmt.Fprintf(b, "%s = /%s/\n", path, v)
		}
		return
	}
	switch got.Kind() {
	case reflect.Struct:
		for i := range got.NumField() {
			if f := got.Type().Field(i); f.IsExported() {
				differences(b, path+"."+f.Name, want.Field(i), got.Field(i))
			}
		}
	case reflect.Pointer:
		if !got.IsNil() {
			differences(b, path, reflect.New(got.Type().Elem()).Elem(), got.Elem())
		}
	case reflect.Slice:
		for i := range got.Len() {
			differences(b, fmt.Sprintf("%s[%d]", path, i), reflect.New(got.Type().Elem()).Elem(), got.Index(i))
		}
	case reflect.Map:
		for _, key := range slices.SortedFunc(slices.Values(got.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			differences(b, path+"."+key.String(), reflect.New(got.Type().Elem()).Elem(), got.MapIndex(key))
		}
	case reflect.String:
		if got.String() != want.String() {
			fmt.Fprintf(b, "%s = %q\n", path, got.String())
		}
	default:
		if !got.Equal(want) {
			fmt.Fprintf(b, "%s = %v\n", path, got)
		}
	}
}

func TestDefaultModules(t *testing.T) {
	all := probe.Features{CEL: func(string) (probe.CELProgram, error) { return nil, nil }, HTTP3: func(*tls.Config, probe.HTTP3Dial) probe.HTTP3Transport { return nil }, ICMP: openICMP, Unix: true}
	full, little := probe.DefaultModules(all), probe.DefaultModules(probe.Features{})
	for _, name := range []string{"http_2xx", "http_post_2xx", "http_3xx", "tcp_connect", "tls_connect", "pop3s_banner", "grpc", "grpc_plain", "ssh_banner",
		"ssh_banner_extract", "irc_banner", "icmp", "icmp_ttl5", "dns", "dns_tcp", "websocket", "postgresql", "smtp_starttls", "imap_starttls"} {
		if full[name] == nil {
			t.Errorf("there is no module %s", name)
		}
	}
	if _, err := probe.New(probe.Options{Modules: full, Features: all}); err != nil {
		t.Error(err)
	}
	if _, err := probe.New(probe.Options{Modules: little}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"icmp", "icmp_ttl5", "http_3xx"} {
		if little[name] != nil {
			t.Errorf("a place without it has %s", name)
		}
	}
	if little["http_2xx"] == nil {
		t.Error("http_2xx is left out")
	}
}

func FuzzParseModules(f *testing.F) {
	files, err := filepath.Glob("testdata/modules/*/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("modules: {a: &a {prober: http, http: {<<: *a}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		modules, err := probe.ParseModules("x.yml", data, variables)
		if err != nil {
			if modules != nil || !strings.HasPrefix(err.Error(), "x.yml:") {
				t.Fatalf("got %v, %v", modules, err)
			}
			return
		}
		for name, m := range modules {
			if m.Name != name || m.Prober == "" || m.Timeout < 0 || m.HTTP.BodySizeLimit < 0 || m.Retries < 0 || m.ICMP.Packets < 1 {
				t.Fatalf("took %+v", m)
			}
			// What is shown is a module again, unless a secret was something else.
			if m.Source() == "" {
				t.Fatalf("%s can't be shown", name)
			}
		}
	})
}
