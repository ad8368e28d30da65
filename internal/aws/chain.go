package aws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// chain is the usual search for credentials; the package's comment has its
// order. A place that is there and fails ends the search: to go on would be to
// act as somebody else.
type chain struct {
	session  *Session
	profiles profiles
}

// Credentials implements [Provider].
func (c *chain) Credentials(ctx context.Context) (Credentials, error) {
	s := c.session
	env := s.options.Getenv
	name := s.options.Profile
	if name == "" {
		if id, secret := env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
			return Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: env("AWS_SESSION_TOKEN")}, nil
		}
		if file := env("AWS_WEB_IDENTITY_TOKEN_FILE"); file != "" {
			return s.webIdentity(ctx, file, env("AWS_ROLE_ARN"))
		}
		name = env("AWS_PROFILE")
	}
	switch _, there := c.profiles[name]; {
	case name != "" && !there:
		return Credentials{}, fmt.Errorf("the AWS profile %q is in neither ~/.aws/config nor ~/.aws/credentials", name)
	case name != "":
		return c.profile(ctx, name, 0)
	case c.profiles["default"].hasCredentials():
		return c.profile(ctx, "default", 0)
	}
	if env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "" {
		return s.container(ctx)
	}
	if strings.EqualFold(env("AWS_EC2_METADATA_DISABLED"), "true") {
		return Credentials{}, errNone
	}
	got, err := s.machine(ctx)
	if err != nil {
		return Credentials{}, fmt.Errorf("%w, and this machine has no role: %w", errNone, err)
	}
	return got, nil
}

var errNone = errors.New("no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where there is a role")

// profile gets the credentials of a profile. depth counts the source_profiles
// on the way.
func (c *chain) profile(ctx context.Context, name string, depth int) (Credentials, error) {
	p, there := c.profiles[name]
	if !there {
		return Credentials{}, fmt.Errorf("the AWS profile %q, named as a source_profile, is not there", name)
	}
	if depth > 5 {
		return Credentials{}, fmt.Errorf("the AWS profile %q has more than 5 source_profiles in a row: do they form a circle?", name)
	}
	arn, source := p["role_arn"], p["source_profile"]
	keys := Credentials{AccessKeyID: p["aws_access_key_id"], SecretAccessKey: p["aws_secret_access_key"], SessionToken: p["aws_session_token"]}
	hasKeys := keys.AccessKeyID != "" && keys.SecretAccessKey != ""
	if arn == "" || source == name && depth > 0 {
		if !hasKeys {
			return Credentials{}, fmt.Errorf("the AWS profile %q has no keys and no role%s", name, p.unsupported(name))
		}
		return keys, nil
	}
	if p["mfa_serial"] != "" {
		return Credentials{}, fmt.Errorf("the AWS profile %q has no credentials%s", name, p.unsupported(name))
	}
	if file := p["web_identity_token_file"]; file != "" {
		return c.session.webIdentity(ctx, file, arn)
	}
	var from Provider
	switch {
	case source == name && hasKeys:
		from = keys
	case source != "":
		from = providerFunc(func(ctx context.Context) (Credentials, error) { return c.profile(ctx, source, depth+1) })
	default:
		var err error
		if from, err = c.session.credentialSource(name, p["credential_source"]); err != nil {
			return Credentials{}, err
		}
	}
	role := Role{ARN: arn, ExternalID: p["external_id"], SessionName: p["role_session_name"]}
	return (&assumed{session: c.session, source: from, role: role}).Credentials(ctx)
}

// credentialSource is what a profile's credential_source names.
func (s *Session) credentialSource(name, source string) (Provider, error) {
	switch source {
	case "Environment":
		env := s.options.Getenv
		return Credentials{AccessKeyID: env("AWS_ACCESS_KEY_ID"), SecretAccessKey: env("AWS_SECRET_ACCESS_KEY"), SessionToken: env("AWS_SESSION_TOKEN")}, nil
	case "EcsContainer":
		return providerFunc(s.container), nil
	case "Ec2InstanceMetadata":
		return providerFunc(s.machine), nil
	}
	return nil, fmt.Errorf("the AWS profile %q has a role_arn and neither a source_profile nor a credential_source that is known (%q)", name, source)
}

type providerFunc func(context.Context) (Credentials, error)

func (f providerFunc) Credentials(ctx context.Context) (Credentials, error) { return f(ctx) }

// webIdentity trades the token in a file for a role's credentials.
func (s *Session) webIdentity(ctx context.Context, file, arn string) (Credentials, error) {
	if arn == "" {
		return Credentials{}, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN, the role that the token is for")
	}
	token, err := readSecret(file)
	if err != nil {
		return Credentials{}, fmt.Errorf("read the web identity token: %w", err)
	}
	return s.STS().AssumeRoleWithWebIdentity(ctx, Role{ARN: arn, SessionName: s.options.SessionName}, token)
}

// readSecret reads a token from a file.
func readSecret(path string) (string, error) {
	const limit = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := readAtMost(f, limit)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return token, nil
}

// assumed gets the credentials of a role by those of another.
type assumed struct {
	session *Session
	source  Provider
	role    Role
}

// Credentials implements [Provider].
func (a *assumed) Credentials(ctx context.Context) (Credentials, error) {
	as := a.session.as(a.source)
	role := a.role
	if role.SessionName == "" {
		role.SessionName = a.session.options.SessionName
	}
	return as.STS().AssumeRole(ctx, role)
}
