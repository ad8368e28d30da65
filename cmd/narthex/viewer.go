package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"narthex/app"
	"narthex/config"
)

const viewerHelp = `usage: narthex viewer aws-setup [--config FILE] [--name BACKEND] [--account ID] [--sub PATTERN]

Prints what AWS needs to know so that narthex may read an Amazon Managed
Prometheus: the trust policy and the permissions policy of each role, and the
commands that make them. Nothing is sent anywhere.

With sigv4.roles the roles trust the identity provider of viewer.sign_in, and
people assume them with their own tokens. Without, one role is for narthex
itself, on Lambda.

  --config FILE     the configuration (default narthex.yml)
  --name BACKEND    which one of query (default the first with sigv4)
  --account ID      the AWS account, if no role's ARN says it
  --sub PATTERN     only people whose claim sub is like it, such as 'okta|*'

Exit codes: 0 printed, 2 wrong flags or configuration.
`

// viewerCommand is what prepares a viewer.
func viewerCommand(_ context.Context, args []string, t terminal) error {
	if len(args) == 0 || args[0] != "aws-setup" {
		if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
			fmt.Fprint(t.out, viewerHelp)
			return nil
		}
		return usageError("want narthex viewer aws-setup; narthex help viewer tells more")
	}
	f := flags("viewer", t)
	file := f.String("config", "narthex.yml", "")
	name := f.String("name", "", "")
	account := f.String("account", "", "")
	sub := f.String("sub", "", "")
	if err := parse(f, args[1:]); err != nil {
		return err
	}
	c, err := load(*file)
	if err != nil {
		return err
	}
	for _, q := range c.Query {
		if q.SigV4 != nil && (*name == "" || q.Name == *name) {
			s, err := newSetup(c, q, *account, *sub)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			return s.print(t.out)
		}
	}
	return usageError("%s has no query with sigv4%s", *file, map[bool]string{true: " and the name " + *name}[*name != ""])
}

// setup is what AWS is to be told.
type setup struct {
	partition, region, account, workspace string
	issuer, client, sub                   string
	roles                                 []string // names; one for narthex itself if people have none
	people                                bool
}

func newSetup(c *config.Config, q config.Query, account, sub string) (*setup, error) {
	s := &setup{partition: "aws", region: cmp.Or(q.SigV4.Region, app.RegionOf(q.URL)), account: account, workspace: app.WorkspaceOf(q.URL), sub: sub}
	if s.workspace == "" || s.region == "" {
		return nil, fmt.Errorf("query %s: its url is not that of a workspace: https://aps-workspaces.<region>.amazonaws.com/workspaces/<id>", q.Name)
	}
	var arns []string
	for _, r := range q.SigV4.Roles {
		arns = append(arns, r.ARN)
	}
	s.people = len(arns) > 0
	if own := q.SigV4.RoleARN; !s.people && own != "" {
		arns = []string{own}
	}
	for _, arn := range arns {
		parts := strings.SplitN(arn, ":", 6)
		if len(parts) < 6 {
			return nil, fmt.Errorf("query %s: %s is no role", q.Name, arn)
		}
		s.partition, s.account = parts[1], cmp.Or(parts[4], s.account)
		s.roles = append(s.roles, strings.TrimPrefix(parts[5], "role/"))
	}
	if len(s.roles) == 0 {
		s.roles = []string{"narthex-view"}
	}
	if s.account == "" {
		return nil, fmt.Errorf("say which account it is: --account 123456789012")
	}
	if s.people && c.Viewer.SignIn.Issuer == "" {
		return nil, fmt.Errorf("query %s has roles for people, but viewer.sign_in names no issuer at which they sign in", q.Name)
	}
	s.issuer, s.client = c.Viewer.SignIn.Issuer, c.Viewer.SignIn.ClientID
	return s, nil
}

// statement is one of a policy of IAM.
type statement struct {
	Effect    string
	Principal map[string]string            `json:",omitempty"`
	Action    any                          // string or []string
	Resource  string                       `json:",omitempty"`
	Condition map[string]map[string]string `json:",omitempty"`
}

func policy(s ...statement) string {
	text, err := json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", s}, "", "  ")
	if err != nil { // strings always marshal
		return ""
	}
	return string(text)
}

// provider is how IAM names the issuer: its address without https://.
func (s *setup) provider() string {
	u, err := url.Parse(s.issuer)
	if err != nil {
		return s.issuer
	}
	return u.Host + strings.TrimSuffix(u.Path, "/")
}

func (s *setup) trust() string {
	if !s.people {
		return policy(statement{Effect: "Allow", Principal: map[string]string{"Service": "lambda.amazonaws.com"}, Action: "sts:AssumeRole"})
	}
	condition := map[string]map[string]string{"StringEquals": {s.provider() + ":aud": s.client}}
	if s.sub != "" {
		condition["StringLike"] = map[string]string{s.provider() + ":sub": s.sub}
	}
	return policy(statement{
		Effect:    "Allow",
		Principal: map[string]string{"Federated": fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", s.partition, s.account, s.provider())},
		Action:    "sts:AssumeRoleWithWebIdentity", Condition: condition,
	})
}

func (s *setup) permissions() string {
	return policy(statement{Effect: "Allow", Action: []string{"aps:QueryMetrics", "aps:GetLabels", "aps:GetSeries", "aps:GetMetricMetadata"},
		Resource: fmt.Sprintf("arn:%s:aps:%s:%s:workspace/%s", s.partition, s.region, s.account, s.workspace)})
}

func (s *setup) print(w io.Writer) error {
	var b strings.Builder
	step := 1
	say := func(text string) { fmt.Fprintf(&b, "# %d. %s\n", step, text); step++ }
	if s.people {
		say("Tell IAM about the identity provider, once for each account. AWS fetches its keys, so it must be reachable from the internet.")
		fmt.Fprintf(&b, "aws iam create-open-id-connect-provider --url '%s' --client-id-list '%s'\n\n", s.issuer, s.client)
		say("Who may assume the roles (trust-policy.json): whoever has an ID token that was issued for narthex.")
	} else {
		say("Who may assume the role (trust-policy.json): the function.")
	}
	fmt.Fprintf(&b, "cat > trust-policy.json <<'EOF'\n%s\nEOF\n\n", s.trust())
	say("What a role may do (permissions-policy.json): read this workspace, nothing else.")
	fmt.Fprintf(&b, "cat > permissions-policy.json <<'EOF'\n%s\nEOF\n\n", s.permissions())
	for _, role := range s.roles {
		path, name := "/", role
		if i := strings.LastIndexByte(role, '/'); i >= 0 {
			path, name = "/"+role[:i+1], role[i+1:]
		}
		say("The role " + name + ".")
		fmt.Fprintf(&b, "aws iam create-role --role-name '%s' --path '%s' --assume-role-policy-document file://trust-policy.json --max-session-duration 43200\n", name, path)
		fmt.Fprintf(&b, "aws iam put-role-policy --role-name '%s' --policy-name narthex-view --policy-document file://permissions-policy.json\n\n", name)
	}
	if s.people {
		b.WriteString(`# IAM looks at aud and sub, not at groups. narthex picks the role by the claims in
# its configuration, but whoever can get hold of their own ID token could hand it to
# AWS themselves and name another of these roles. Where roles differ in what they
# may do, narrow each trust policy with --sub, or have the provider send the claim
# https://aws.amazon.com/tags and ask for aws:RequestTag there.
#
# CloudTrail then names the person: AssumeRoleWithWebIdentity with the role session
# name of sigv4.session_name_claim, and the same session in each query's event.
`)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
