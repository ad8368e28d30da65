package aws

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// STS gives credentials for roles.
type STS struct{ client }

// STS returns the region's STS.
func (s *Session) STS() *STS { return &STS{s.client("sts")} }

// Role is a role to assume.
type Role struct {
	ARN         string
	SessionName string        // how CloudTrail names the session; "": narthex
	ExternalID  string        // what the trust policy asks for, or ""
	Duration    time.Duration // 0: an hour
	Policy      string        // JSON that narrows what the session may do, or ""
}

// Identity is who signs.
type Identity struct {
	Account, ARN, UserID string
}

// AssumeRole returns a role's credentials.
func (s *STS) AssumeRole(ctx context.Context, role Role) (Credentials, error) {
	form := role.form()
	if role.ExternalID != "" {
		form.Set("ExternalId", role.ExternalID)
	}
	return s.assume(ctx, "AssumeRole", role, form)
}

// AssumeRoleWithWebIdentity returns a role's credentials for a token of an
// identity provider. It needs no credentials.
func (s *STS) AssumeRoleWithWebIdentity(ctx context.Context, role Role, token string) (Credentials, error) {
	form := role.form()
	form.Set("WebIdentityToken", token)
	return s.assume(ctx, "AssumeRoleWithWebIdentity", role, form)
}

// GetCallerIdentity returns who the session's credentials are.
func (s *STS) GetCallerIdentity(ctx context.Context) (Identity, error) {
	a, err := s.query(ctx, "GetCallerIdentity", "", url.Values{}, false)
	if err != nil {
		return Identity{}, err
	}
	var x struct {
		Result struct {
			Account, Arn string
			UserID       string `xml:"UserId"`
		} `xml:"GetCallerIdentityResult"`
	}
	if err := xml.Unmarshal(a.body, &x); err != nil {
		return Identity{}, fmt.Errorf("sts GetCallerIdentity: read the answer: %w", err)
	}
	return Identity{x.Result.Account, x.Result.Arn, x.Result.UserID}, nil
}

func (r Role) form() url.Values {
	form := url.Values{"RoleArn": {r.ARN}, "RoleSessionName": {r.SessionName}}
	if r.SessionName == "" {
		form.Set("RoleSessionName", "narthex")
	}
	if r.Duration != 0 {
		form.Set("DurationSeconds", strconv.Itoa(int(r.Duration/time.Second)))
	}
	if r.Policy != "" {
		form.Set("Policy", r.Policy)
	}
	return form
}

func (s *STS) assume(ctx context.Context, op string, role Role, form url.Values) (Credentials, error) {
	a, err := s.query(ctx, op, role.ARN, form, op != "AssumeRole")
	if err != nil {
		return Credentials{}, err
	}
	type result struct {
		Credentials struct {
			AccessKeyID                   string `xml:"AccessKeyId"`
			SecretAccessKey, SessionToken string
			Expiration                    time.Time
		}
	}
	var x struct {
		Role result `xml:"AssumeRoleResult"`
		Web  result `xml:"AssumeRoleWithWebIdentityResult"`
	}
	if xml.Unmarshal(a.body, &x) != nil { // whose text may quote a secret
		return Credentials{}, fmt.Errorf("sts %s %s: the answer is not the XML that it should be", op, role.ARN)
	}
	c := x.Role.Credentials
	if op != "AssumeRole" {
		c = x.Web.Credentials
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return Credentials{}, fmt.Errorf("sts %s %s: the answer has no credentials", op, role.ARN)
	}
	return Credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration}, nil
}

// query sends an action in the query protocol.
func (s *STS) query(ctx context.Context, op, resource string, form url.Values, unsigned bool) (*answer, error) {
	form.Set("Action", op)
	form.Set("Version", "2011-06-15")
	return s.do(ctx, call{
		op: op, resource: resource, method: http.MethodPost, unsigned: unsigned, limit: 64 << 10,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		body:   []byte(form.Encode()),
	})
}
