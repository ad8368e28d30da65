package function

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"narthex/ledger"
)

// settings are the roles of a function that has a ledger of its own, as the
// environment says them.
type settings struct {
	state    string // address of the store that has the totals, "" if this function only queues
	queue    string // URL of the SQS queue that is the log, or ""
	groups   int    // of a store that is empty; 0 is the default
	direct   bool   // pushes are folded at once
	interval time.Duration
	logs     string // sources of access logs, or the name of a file that has them

	remoteWrite   string // where samples go, or ""
	authorization string // header of that, or ""
	region        string // to sign for, "" if it is not to be signed
}

// own reports whether the environment sets up a ledger at all.
func own(getenv func(string) string) bool {
	return getenv("NARTHEX_STATE") != "" || getenv("NARTHEX_QUEUE") != ""
}

// readSettings reads the environment. An error names the variable.
func readSettings(getenv func(string) string) (s settings, err error) {
	s = settings{
		state: getenv("NARTHEX_STATE"), logs: getenv("NARTHEX_LOGS"), queue: getenv("NARTHEX_QUEUE"),
		remoteWrite: getenv("NARTHEX_REMOTE_WRITE_URL"), authorization: getenv("NARTHEX_REMOTE_WRITE_AUTHORIZATION"),
		interval: time.Minute,
	}
	if getenv("NARTHEX_URL") != "" {
		return s, errors.New("NARTHEX_URL hands pushes to another narthex, NARTHEX_STATE and NARTHEX_QUEUE keep them here: set one or the other")
	}
	switch mode := getenv("NARTHEX_MODE"); mode {
	case "":
		s.direct = s.queue == ""
	case "direct", "queue":
		s.direct = mode == "direct"
	default:
		return s, fmt.Errorf("NARTHEX_MODE is %q: want queue or direct", mode)
	}
	switch {
	case s.direct && s.state == "":
		return s, errors.New("NARTHEX_MODE is direct, so NARTHEX_STATE has to say where the totals are, such as s3://bucket/prefix")
	case !s.direct && s.queue == "":
		return s, errors.New("NARTHEX_MODE is queue, so NARTHEX_QUEUE has to be the URL of an SQS queue")
	}
	if text := getenv("NARTHEX_GROUPS"); text != "" {
		if s.groups, err = strconv.Atoi(text); err != nil || s.groups < 1 || s.groups > ledger.Shards {
			return s, fmt.Errorf("NARTHEX_GROUPS is %q: want a number from 1 to %d", text, ledger.Shards)
		}
	}
	if text := getenv("NARTHEX_INTERVAL"); text != "" {
		if s.interval, err = time.ParseDuration(text); err != nil || s.interval < time.Second || s.interval > 5*time.Minute {
			return s, fmt.Errorf("NARTHEX_INTERVAL is %q: want a duration from 1s to 5m", text)
		}
	}
	s.region, err = signingRegion(s.remoteWrite, getenv("NARTHEX_REMOTE_WRITE_SIGV4"))
	if err == nil && s.region != "" && s.authorization != "" {
		err = errors.New("NARTHEX_REMOTE_WRITE_AUTHORIZATION does not go with a destination that is signed for")
	}
	return s, err
}

// signingRegion returns the region that requests to the address are signed for:
// the one that is given, or that of an Amazon Managed Prometheus.
func signingRegion(address, given string) (string, error) {
	if address == "" {
		return "", nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" { // its text may have a password
		return "", errors.New("NARTHEX_REMOTE_WRITE_URL is not a URL: want one such as https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-…/api/v1/remote_write")
	}
	if rest, ok := strings.CutPrefix(u.Hostname(), "aps-workspaces."); ok && given == "" {
		given, _, _ = strings.Cut(rest, ".")
	}
	return given, nil
}
