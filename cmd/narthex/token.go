package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"narthex"
	"narthex/auth"
	"narthex/config"
)

const tokenHelp = `usage: narthex token [flags]

Makes a bearer token. It is printed once, to be kept where secrets are kept; what
stands below it goes into the configuration, which so has only its hash.

  --name NAME          whose it is (default: default); ids of pushes belong to it
  --scope SCOPE        what it allows: push, query, probe or admin; may be given
                       several times, or with commas (default push)
  --label NAME=VALUE   a label that is forced on what it pushes; may be given
                       several times
  --expires D          how long it is good (90d; default: for ever)

A sender shows it as Authorization: Bearer TOKEN, as the password of basic
authentication under any user, or as $NARTHEX_TOKEN to narthex push.

Exit codes: 0 printed, 1 failed, 2 wrong flags.
`

// tokenCommand makes a bearer token and the lines of configuration for it.
func tokenCommand(_ context.Context, args []string, t terminal) error {
	f := flags("token", t)
	name := f.String("name", "default", "")
	var scopes []string
	f.Func("scope", "", func(s string) error {
		names := strings.Split(s, ",")
		if _, err := auth.ParseScopes(names...); err != nil {
			return err
		}
		scopes = append(scopes, names...)
		return nil
	})
	var labels []narthex.Label
	f.Func("label", "", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" || value == "" {
			return errors.New("want NAME=VALUE")
		}
		labels = append(labels, narthex.Label{Name: name, Value: value})
		return nil
	})
	var lasts time.Duration
	f.Func("expires", "", func(s string) (err error) {
		if lasts, err = config.ParseDuration(s); err == nil && lasts <= 0 {
			err = errors.New("want a duration such as 90d")
		}
		return err
	})
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError("it takes no arguments, but got %q", f.Arg(0))
	}
	if *name == "" {
		return usageError("--name is empty: ids of pushes belong to whoever has the name")
	}
	if len(scopes) == 0 {
		scopes = []string{"push"}
	}
	token := auth.NewToken()
	hash, err := auth.HashToken(token)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("auth:\n  tokens:\n    - name: %s\n      hash: %s\n      scopes: [%s]\n", strconv.Quote(*name), hash, strings.Join(scopes, ", "))
	if len(labels) > 0 {
		var parts []string
		for _, l := range labels {
			parts = append(parts, strconv.Quote(l.Name)+": "+strconv.Quote(l.Value))
		}
		text += "      labels: {" + strings.Join(parts, ", ") + "}\n"
	}
	if lasts > 0 {
		text += "      expires: " + time.Now().Add(lasts).UTC().Format(time.RFC3339) + "\n"
	}
	// What is wrong with a name or a label is found by those who will read it.
	if _, err := config.Parse("the token", []byte(text), nil); err != nil {
		return &exitError{exitUsage, err}
	}
	_, err = fmt.Fprintf(t.out, "%s\n\n# The line above is the token, which is shown this once. Below it the configuration\n# of the server, which has only its hash.\n%s", token, text)
	return err
}

// withToken returns a client that shows the token, nil if there is none.
func withToken(token string) *http.Client {
	if token == "" {
		return nil
	}
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: bearer{token},
		// A redirect could take the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bearer makes requests with a bearer token.
type bearer struct{ token string }

// RoundTrip implements [http.RoundTripper].
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}
