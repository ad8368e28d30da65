package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// redirectLimit is how many redirects are followed, as in the exporter.
const redirectLimit = 10

// httpProbe is a probe of HTTP.
type httpProbe struct {
	*trial
	m        *HTTPModule
	phases   *gauge
	timings  timings
	redirect int  // how many there were, the one that was not followed too
	stopped  bool // the last one was not followed
	failure  error
	end      func() // closes the transport
}

// probeHTTP sends one request, follows redirects, and checks the answer. The first
// check that fails is the failure; the metrics are set all the same.
func probeHTTP(ctx context.Context, t *trial) error {
	h := &httpProbe{trial: t, m: &t.module.HTTP}
	h.declare()
	target, err := h.parse()
	if err != nil {
		return err
	}
	var addr netip.Addr
	if !h.m.SkipResolvePhaseWithProxy || h.m.Client.Proxy.URL == "" && !h.m.Client.Proxy.FromEnvironment {
		begun := time.Now()
		addr, err = t.resolve(ctx, target.Hostname(), h.m.IP)
		h.phases.With("resolve").Add(time.Since(begun).Seconds())
		if err != nil {
			return err
		}
	}
	resp, err := h.send(ctx, target, addr)
	if h.end != nil {
		defer h.end()
	}
	if err == nil {
		defer resp.Body.Close()
		h.check(ctx, resp)
	}
	h.timings.report(h.phases)
	h.gauge("probe_http_redirects", "").Set(float64(h.redirect))
	if err != nil {
		if s := t.lastShaken(); s != nil && s.err != nil {
			t.tlsMetrics(s)
		}
		return err
	}
	h.conclude(resp)
	return h.failure
}

// declare sets the metrics that are there whatever happens.
func (h *httpProbe) declare() {
	h.phases = h.gauge("probe_http_duration_seconds", "Duration of http request by phase, summed over all redirects", "phase")
	h.gauge("probe_http_content_length", "Length of http content response").Set(0)
	h.gauge("probe_http_uncompressed_body_length", "Length of uncompressed response body").Set(0)
	h.gauge("probe_http_redirects", "The number of redirects").Set(0)
	h.gauge("probe_http_ssl", "Indicates if SSL was used for the final redirect").Set(0)
	h.gauge("probe_http_status_code", "Response HTTP status code").Set(0)
	h.gauge("probe_http_version", "Returns the version of HTTP of the probe response").Set(0)
	h.gauge("probe_failed_due_to_regex", "Indicates if probe failed due to regex").Set(0)
	if h.m.BodyMatchesCEL != "" || h.m.BodyNotMatchesCEL != "" {
		h.gauge("probe_failed_due_to_cel", "Indicates if probe failed due to CEL expression not matching").Set(0)
	}
}

// parse reads the target, which is of HTTP if it does not say.
func (h *httpProbe) parse() (*url.URL, error) {
	text := h.target
	lower := strings.ToLower(text)
	if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
		text = "http://" + text
	}
	target, err := url.Parse(text)
	if err != nil {
		return nil, failed(PhaseRequest, ReasonBadTarget, "the target can't be read: %w", withoutURL(err))
	}
	if target.Hostname() == "" {
		return nil, failed(PhaseRequest, ReasonBadTarget, "the target has no host")
	}
	if h.m.EnableHTTP3 && target.Scheme == "http" {
		h.log.Warn("HTTP/3 is always over TLS: the target is taken for one of https", "target", target.Redacted())
		target.Scheme = "https"
	}
	return target, nil
}

// host returns the Host header that is asked for, "" for the target's own.
func (h *httpProbe) host() (string, error) {
	host := h.hostname
	for name, value := range h.m.Headers {
		if textproto.CanonicalMIMEHeaderKey(name) != "Host" {
			continue
		}
		if host != "" && host != string(value) {
			return "", failed(PhaseRequest, ReasonBadTarget, "the module's headers have another Host than the parameter hostname")
		}
		host = string(value)
	}
	return host, nil
}

// send makes the request and returns the last answer.
func (h *httpProbe) send(ctx context.Context, target *url.URL, addr netip.Addr) (*http.Response, error) {
	host, err := h.host()
	if err != nil {
		return nil, err
	}
	body, err := h.body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(h.timings.watch(ctx), h.method(), target.String(), body)
	if err != nil {
		return nil, failed(PhaseRequest, ReasonBadTarget, "the request can't be made: %w", withoutURL(err))
	}
	name := target.Hostname()
	if host != "" {
		request.Host = host
		name = hostOf(host)
	}
	transport, err := h.transport(ctx, clientOptions{Config: &h.m.Client, Target: target, Addr: addr, ServerName: name, Headers: h.headers()})
	if err != nil {
		return nil, err
	}
	h.end = transport.close
	for _, phase := range []string{"connect", "tls", "processing", "transfer"} {
		h.phases.With(phase).Add(0)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	h.timings.next = transport
	c := &http.Client{Transport: &h.timings, Jar: jar, CheckRedirect: h.follow}
	resp, err := c.Do(request)
	if err != nil {
		if strings.Contains(err.Error(), "failed to parse Location header") {
			return nil, failed(PhaseResponse, ReasonRedirects, "the redirect can't be read: %w", withoutURL(err))
		}
		return nil, asFailure(ctx, err)
	}
	return resp, nil
}

// follow says whether a redirect is followed.
func (h *httpProbe) follow(r *http.Request, via []*http.Request) error {
	h.redirect = len(via)
	if h.redirect > redirectLimit || !h.m.Client.FollowRedirects {
		h.log.Info("not following a redirect", "location", r.URL.Redacted(), "redirects", h.redirect)
		h.stopped = true
		return http.ErrUseLastResponse
	}
	h.log.Info("following a redirect", "location", r.URL.Redacted(), "redirects", h.redirect)
	return nil
}

// conclude sets what is known once the body is read.
func (h *httpProbe) conclude(resp *http.Response) {
	if modified, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		h.gauge("probe_http_last_modified_timestamp_seconds", "Returns the Last-Modified HTTP response header in unixtime").Set(float64(modified.Unix()))
	}
	version, _ := strconv.ParseFloat(strings.TrimPrefix(resp.Proto, "HTTP/"), 64) // 0 is as good as none
	h.gauge("probe_http_version", "").Set(version)
	if v := h.m.ValidHTTPVersions; len(v) > 0 && !slices.Contains(v, resp.Proto) {
		h.fail(PhaseAssert, ReasonVersion, "the answer is %s, which valid_http_versions does not have", resp.Proto)
	}
	if resp.TLS != nil {
		h.gauge("probe_http_ssl", "").Set(1)
		h.tlsMetrics(h.shakenFor(resp.TLS))
		if h.m.FailIfSSL {
			h.fail(PhaseAssert, ReasonUnwanted, "the last request was over TLS, which fail_if_ssl forbids")
		}
	} else if h.m.FailIfNotSSL {
		h.fail(PhaseAssert, ReasonMissing, "the last request was not over TLS, which fail_if_not_ssl demands")
	}
	h.gauge("probe_http_status_code", "").Set(float64(resp.StatusCode))
	h.gauge("probe_http_content_length", "").Set(float64(resp.ContentLength))
}

// fail notes a failure, the first one for good.
func (h *httpProbe) fail(phase Phase, reason Reason, format string, args ...any) {
	err := failed(phase, reason, format, args...)
	h.log.Error("the probe failed", "phase", phase, "reason", reason, "err", fmt.Errorf(format, args...).Error())
	if h.failure == nil {
		h.failure = err
	}
}
