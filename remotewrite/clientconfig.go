package remotewrite

import (
	"fmt"
	"net/http"
	"net/url"

	"narthex"
)

// misconfigured returns an error for an answer that speaks of the address or the
// credentials rather than of the data, nil for others. It is Unavailable: once
// the mistake is mended the data is still there.
func (c *Client) misconfigured(a *answer) error {
	remedy := ""
	switch {
	case a.status/100 == 3:
		remedy = "redirects are not followed: write the address that it leads to"
		if to, err := url.Parse(a.location); err == nil && a.location != "" {
			remedy += ", " + redact(to)
		}
	case a.status == http.StatusUnauthorized:
		remedy = "the credentials are missing or wrong: look at this destination's basic_auth, authorization or sigv4"
	case a.status == http.StatusForbidden && c.endpoint.amazon:
		remedy = "the role has to have aps:RemoteWrite for this workspace, and sigv4 the workspace's region"
	case a.status == http.StatusForbidden:
		remedy = "the credentials are known and may not write there: give them the permission, or use others"
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed, a.status == http.StatusGone, a.status == http.StatusUpgradeRequired:
		remedy = "there is no remote-write receiver at this address: Prometheus has it at /api/v1/write when it runs with --web.enable-remote-write-receiver, " +
			"Mimir and Cortex at /api/v1/push, VictoriaMetrics at /api/v1/write, Amazon at /workspaces/ws-.../api/v1/remote_write"
	case a.status == http.StatusPaymentRequired, a.status == http.StatusProxyAuthRequired, a.status == http.StatusRequestTimeout,
		a.status == http.StatusMisdirectedRequest, a.status == http.StatusUnsupportedMediaType, a.status/100 < 2:
		remedy = "a proxy or a service in between does not let it through"
	case !c.proven.Load() && classify(a.text) == ReasonOther && len(parseRefusal(a.text)) == 0 && c.doubts.Add(1) <= maxDoubts:
		remedy = "it has taken nothing yet and does not name what it won't have, so the fault may be the whole request's: see whether this is a remote-write receiver"
	default:
		return nil
	}
	return narthex.Errorf(narthex.Unavailable, "remote write to %s was answered %s (it said %s): %s; nothing is lost, it can be tried again once that is mended",
		c.place(), a.line(), said(a.text), remedy)
}

// place names the destination and where it is.
func (c *Client) place() string {
	if c.o.Name == c.endpoint.shown {
		return c.o.Name
	}
	return fmt.Sprintf("%s (%s)", c.o.Name, c.endpoint.shown)
}
