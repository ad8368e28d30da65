package function

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"

	"narthex/config"
)

// variables are those that give one setting each.
var variables = []struct{ name, path string }{
	{"NARTHEX_STATE", "ledger.state"},
	{"NARTHEX_ROLES", "lambda.roles"},
	{"NARTHEX_QUEUE", "lambda.queue"},
	{"NARTHEX_MODE", "lambda.mode"},
	{"NARTHEX_BODIES", "lambda.bodies"},
	{"NARTHEX_SCHEDULE_QUEUE", "lambda.schedule_queue"},
	{"NARTHEX_GROUPS", "lambda.groups"},
	{"NARTHEX_INTERVAL", "scrape_interval"},
	{"NARTHEX_PRESET", "push.preset"},
	{"NARTHEX_URL", "lambda.relay.url"},
	{"NARTHEX_UPSTREAM_AUTHORIZATION", "lambda.relay.authorization"},
	{"NARTHEX_ALLOW_UNAUTHENTICATED", "lambda.allow_unauthenticated"},
	{"NARTHEX_TELEMETRY", "lambda.telemetry"},
}

// overrides returns the settings that the environment gives.
func (o *Options) overrides() (list []config.Override, err error) {
	for _, v := range variables {
		text := o.Getenv(v.name)
		if text == "" {
			continue
		}
		x := config.Override{From: v.name, Path: v.path, Value: text}
		if v.path == "lambda.roles" {
			words, err := json.Marshal(strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' }))
			if err != nil {
				return nil, err
			}
			x.Value, x.YAML = string(words), true
		}
		list = append(list, x)
	}
	if text := o.Getenv("NARTHEX_LOGS"); text != "" {
		if !strings.HasPrefix(text, "[") {
			data, err := os.ReadFile(text)
			if err != nil {
				return nil, errors.New("NARTHEX_LOGS: it is neither a list of sources nor the name of a file that has one: " + err.Error())
			}
			text = string(data)
		}
		list = append(list, config.Override{From: "NARTHEX_LOGS", Path: "logs", Value: text, YAML: true})
	}
	if o.Getenv("NARTHEX_REMOTE_WRITE_URL") != "" {
		x, err := o.remoteWrite()
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

// remoteWrite is the destination that the environment names, as the file would.
// An Amazon Managed Prometheus is signed for.
func (o *Options) remoteWrite() (out config.Override, err error) {
	const name = "NARTHEX_REMOTE_WRITE_URL"
	address, region := o.Getenv(name), o.Getenv("NARTHEX_REMOTE_WRITE_SIGV4")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" { // its text may have a password
		return out, errors.New(name + " is not a URL: want one such as https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-…/api/v1/remote_write")
	}
	if rest, ok := strings.CutPrefix(u.Hostname(), "aps-workspaces."); ok && region == "" {
		region, _, _ = strings.Cut(rest, ".")
	}
	w := map[string]any{"url": address}
	if region != "" {
		w["sigv4"] = map[string]string{"region": region}
	}
	if header := o.Getenv("NARTHEX_REMOTE_WRITE_AUTHORIZATION"); header != "" {
		key, value, err := authorization(header)
		if err != nil {
			return out, err
		}
		w[key] = value
	}
	text, err := json.Marshal([]any{w})
	return config.Override{From: name, Path: "remote_write", Value: string(text), YAML: true}, err
}

// authorization is a header of that name in the words of the file. Dollars are
// no variables here.
func authorization(header string) (key string, value map[string]string, err error) {
	plain := strings.NewReplacer("$", "$$")
	scheme, rest, found := strings.Cut(header, " ")
	if !found {
		scheme, rest = "Bearer", header
	}
	if !strings.EqualFold(scheme, "Basic") {
		return "authorization", map[string]string{"type": scheme, "credentials": plain.Replace(rest)}, nil
	}
	pair, err := base64.StdEncoding.DecodeString(rest)
	user, password, found := strings.Cut(string(pair), ":")
	if err != nil || !found {
		return "", nil, errors.New("NARTHEX_REMOTE_WRITE_AUTHORIZATION says Basic but has no user and password in base64")
	}
	return "basic_auth", map[string]string{"username": user, "password": plain.Replace(password)}, nil
}
