package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What narthex check says of quotas: the first, and what does not fit.
func TestCheckQuotas(t *testing.T) {
	const amazon = "remote_write: [{url: 'https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-1/api/v1/remote_write', sigv4: {region: us-west-2}}]\n"
	for _, c := range []struct {
		name, config, flags, first string
		over                       []string
	}{
		{"on a laptop", "scrape_interval: 10s\n", "", "", nil},
		{"another receiver", "remote_write: [{url: 'https://mimir.example/api/v1/push'}]\n", "", "", nil},
		{"Amazon", amazon, "", "labels of a series", nil},
		{"Amazon, for three years and more", amazon, "--retention 1200d", "retention", []string{"retention"}},
		{"Amazon, many series", amazon, "--series 3000000", "series that a new workspace takes at once", []string{"series that a new workspace takes at once"}},
		{"Amazon, any name", amazon + "utf8_names: true\n", "", "names beyond letters", []string{"names beyond letters"}},
		{"Amazon, late logs", amazon + "logs: [{source: cdn, from: /var/log/cdn, event_time: true, lateness: 2h}]\n", "", "age of a sample", []string{"age of a sample"}},
		{"a function", "ledger: {state: 's3://b/x'}\nlimits: {body: 1MiB}\n", "", "body of a request", nil},
		{"a function with a queue", "ledger: {state: 's3://b/x'}\nlambda: {queue: 'https://sqs.us-west-2.amazonaws.com/1/q'}\nlimits: {body: 2MiB}\n", "", "message of the queue", []string{"message of the queue"}},
		{"a table", "ledger: {state: 'dynamodb://t'}\nlimits: {body: 1MiB}\n", "--series 20000", "size of an item", []string{"size of an item"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "narthex.yml")
			if err := os.WriteFile(file, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			out, code := command(t, "", append(append([]string{"check"}, strings.Fields(c.flags)...), file)...)
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, out)
			}
			_, text, found := strings.Cut(out, "\nquotas of AWS")
			if found != (c.first != "") {
				t.Fatalf("quotas are told: %v; %s", found, out)
			}
			if !strings.Contains(text, "; "+c.first) && found {
				t.Errorf("%s does not come first:\n%s", c.first, text)
			}
			var over []string
			for _, line := range strings.Split(text, "\n") {
				if strings.HasPrefix(line, "!") {
					over = append(over, line)
				}
			}
			if len(over) != len(c.over) {
				t.Fatalf("%d do not fit, want %d:\n%s", len(over), len(c.over), text)
			}
			for i, want := range c.over {
				if !strings.Contains(over[i], want) {
					t.Errorf("%q does not fit, want %q", over[i], want)
				}
			}
		})
	}
}
