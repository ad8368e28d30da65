package aws_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"narthex/internal/aws"
)

// place is a world to find credentials in: an STS that checks signatures, the
// metadata endpoints, and files.
type place struct {
	asked []string // what was asked of whom, in order
	t     *testing.T
	keys  map[string]aws.Credentials // known to STS
}

var ends = time.Now().Add(time.Hour).UTC().Truncate(time.Second)

// sts answers like STS, with credentials named after the role.
func (p *place) sts(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		p.t.Error(err)
	}
	op := form.Get("Action")
	by := "nobody"
	if op == "AssumeRole" {
		by = strings.TrimPrefix(strings.Split(r.Header.Get("Authorization"), "/")[0], "AWS4-HMAC-SHA256 Credential=")
		if wrong := verify(r, body, p.keys[by], "eu-central-1", "sts"); wrong != "" {
			p.t.Error(wrong)
		}
	} else if r.Header.Get("Authorization") != "" {
		p.t.Error("a web identity needs no signature")
	}
	p.asked = append(p.asked, fmt.Sprintf("sts %s %s by %s as %s external %q token %q", op, form.Get("RoleArn"), by, form.Get("RoleSessionName"), form.Get("ExternalId"), form.Get("WebIdentityToken")))
	c := aws.Credentials{AccessKeyID: "of-" + form.Get("RoleArn"), SecretAccessKey: "secret of it", SessionToken: "token of it"}
	p.keys[c.AccessKeyID] = c
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>%[2]s</AccessKeyId>`+
		`<SecretAccessKey>secret of it</SecretAccessKey><SessionToken>token of it</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		op, c.AccessKeyID, ends.Format(time.RFC3339))
}

// metadata answers like the endpoints of ECS, EKS and EC2.
func (p *place) metadata(w http.ResponseWriter, r *http.Request, _ []byte) {
	token := r.Header.Get("Authorization") + r.Header.Get("X-Aws-Ec2-Metadata-Token")
	p.asked = append(p.asked, fmt.Sprintf("%s http://%s%s token %q", r.Method, r.Host, r.URL.Path, token))
	switch path := r.URL.Path; {
	case path == "/latest/api/token":
		if r.Method != http.MethodPut || r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds") == "" {
			p.t.Errorf("%s %v", r.Method, r.Header)
		}
		fmt.Fprint(w, "imds-token")
	case strings.HasSuffix(path, "/security-credentials/"):
		fmt.Fprint(w, "a-role\n")
	case path == "/denied":
		w.WriteHeader(http.StatusForbidden)
	default:
		c := aws.Credentials{AccessKeyID: "beside", SecretAccessKey: "s", SessionToken: "t"}
		p.keys[c.AccessKeyID] = c
		fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"beside","SecretAccessKey":"s","Token":"t","Expiration":%q}`, ends.Format(time.RFC3339))
	}
}

func TestChain(t *testing.T) {
	config := file(t, "config", `
; comment
[default]
region = eu-north-1
[profile role] # comment
role_arn=arn:role
source_profile = keys
external_id = ext ; comment
role_session_name = me
s3 =
  role_arn = nested
[profile self]
role_arn = arn:self
source_profile = self
[profile chain]
role_arn = arn:chain
source_profile = role
[profile circle]
role_arn = arn:circle
source_profile = circle2
[profile circle2]
role_arn = arn:circle2
source_profile = circle
[profile ecs]
role_arn = arn:ecs
credential_source = EcsContainer
[profile ec2]
role_arn = arn:ec2
credential_source = Ec2InstanceMetadata
[profile env]
role_arn = arn:env
credential_source = Environment
[profile web]
role_arn = arn:web
web_identity_token_file = TOKEN
[profile sso]
sso_session = x
[profile process]
credential_process = /bin/false
[profile mfa]
role_arn = arn:mfa
source_profile = keys
mfa_serial = x
[profile odd]
role_arn = arn:odd
[sso-session x]
aws_access_key_id = not
`)
	credentials := file(t, "credentials", `
[keys]
aws_access_key_id = static
aws_secret_access_key = abc=/+
[self]
aws_access_key_id = own
aws_secret_access_key = s
`)
	token := file(t, "token", "a-jwt\n")
	rewrite(t, config, token)
	keys := []string{"AWS_ACCESS_KEY_ID", "envkey", "AWS_SECRET_ACCESS_KEY", "envsecret", "AWS_SESSION_TOKEN", "envtoken"}
	web := []string{"AWS_WEB_IDENTITY_TOKEN_FILE", token, "AWS_ROLE_ARN", "arn:pod"}
	const machine = "PUT http://169.254.169.254/latest/api/token token \"\"\nGET http://169.254.169.254/latest/meta-data/iam/security-credentials/ token \"imds-token\"\nGET http://169.254.169.254/latest/meta-data/iam/security-credentials/a-role token \"imds-token\"\n"
	for _, c := range []struct {
		name    string
		env     []string
		options aws.Options
		want    string // the key's id, or what the error says
		asked   string // a line each
	}{
		{"environment", append(keys, web...), aws.Options{}, "envkey", ""},
		{"environment, whatever the default profile", append(keys, "AWS_PROFILE", "keys"), aws.Options{}, "envkey", ""},
		{"profile in the options first", keys, aws.Options{Profile: "keys"}, "static", ""},
		{"web identity", append(web, "AWS_ROLE_SESSION_NAME", "me"), aws.Options{}, "of-arn:pod", "sts AssumeRoleWithWebIdentity arn:pod by nobody as me external \"\" token \"a-jwt\"\n"},
		{"web identity without a role", web[:2], aws.Options{}, "AWS_ROLE_ARN", ""},
		{"web identity without its file", []string{"AWS_WEB_IDENTITY_TOKEN_FILE", token + "x", "AWS_ROLE_ARN", "r"}, aws.Options{}, "no such file", ""},
		{"profile", []string{"AWS_PROFILE", "keys"}, aws.Options{}, "static", ""},
		{"profile's role", nil, aws.Options{Profile: "role"}, "of-arn:role", "sts AssumeRole arn:role by static as me external \"ext\" token \"\"\n"},
		{"profile's role by its own keys", nil, aws.Options{Profile: "self"}, "of-arn:self", "sts AssumeRole arn:self by own as narthex external \"\" token \"\"\n"},
		{"role of a role", nil, aws.Options{Profile: "chain"}, "of-arn:chain", "sts AssumeRole arn:role by static as me external \"ext\" token \"\"\nsts AssumeRole arn:chain by of-arn:role as narthex external \"\" token \"\"\n"},
		{"circle", nil, aws.Options{Profile: "circle"}, "circle", ""},
		{"profile's container", []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}, aws.Options{Profile: "ecs"}, "of-arn:ecs", "GET http://169.254.170.2/x token \"\"\nsts AssumeRole arn:ecs by beside as narthex external \"\" token \"\"\n"},
		{"profile's machine", nil, aws.Options{Profile: "ec2"}, "of-arn:ec2", machine + "sts AssumeRole arn:ec2 by beside as narthex external \"\" token \"\"\n"},
		{"profile's environment", keys, aws.Options{Profile: "env"}, "of-arn:env", "sts AssumeRole arn:env by envkey as narthex external \"\" token \"\"\n"},
		{"profile's web identity", nil, aws.Options{Profile: "web"}, "of-arn:web", "sts AssumeRoleWithWebIdentity arn:web by nobody as narthex external \"\" token \"a-jwt\"\n"},
		{"profile with SSO", nil, aws.Options{Profile: "sso"}, "aws configure export-credentials --profile sso", ""},
		{"profile with a program", nil, aws.Options{Profile: "process"}, "credential_process", ""},
		{"profile with a code", nil, aws.Options{Profile: "mfa"}, "mfa_serial", ""},
		{"profile without a source", nil, aws.Options{Profile: "odd"}, "credential_source", ""},
		{"profile that is not there", []string{"AWS_PROFILE", "other"}, aws.Options{}, `"other"`, ""},
		{"container", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token}, aws.Options{}, "beside", "GET http://169.254.170.23/v1/credentials token \"a-jwt\"\n"},
		{"container on Lambda", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9001/2021-08-23/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "inline"}, aws.Options{}, "beside", "GET http://127.0.0.1:9001/2021-08-23/credentials token \"inline\"\n"},
		{"container with a token of two lines", []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb"}, aws.Options{}, "more than one line", ""},
		{"container that refuses", []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/denied"}, aws.Options{}, "403", "GET http://169.254.170.2/denied token \"\"\n"},
		{"machine", nil, aws.Options{}, "beside", machine},
		{"nothing", []string{"AWS_EC2_METADATA_DISABLED", "true"}, aws.Options{}, "no AWS credentials were found", ""},
		{"role in the options", keys, aws.Options{RoleARN: "arn:top", ExternalID: "e"}, "of-arn:top", "sts AssumeRole arn:top by envkey as narthex external \"e\" token \"\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &place{t: t, keys: map[string]aws.Credentials{
				"static": {AccessKeyID: "static", SecretAccessKey: "abc=/+"}, "own": {AccessKeyID: "own", SecretAccessKey: "s"},
				"envkey": {AccessKeyID: "envkey", SecretAccessKey: "envsecret", SessionToken: "envtoken"},
			}}
			o := c.options
			o.Getenv = env(append([]string{"AWS_REGION", "eu-central-1", "AWS_CONFIG_FILE", config, "AWS_SHARED_CREDENTIALS_FILE", credentials, "AWS_ENDPOINT_URL_STS", service(t, p.sts)}, c.env...)...)
			o.Metadata = dial(service(t, p.metadata))
			s, err := aws.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Credentials(t.Context())
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
			} else if got.AccessKeyID != c.want || got.SecretAccessKey == "" || c.asked != "" && (got.SessionToken == "" || !got.Expires.Equal(ends)) {
				t.Errorf("%v that end at %s, want %s", got, got.Expires, c.want)
			}
			asked := strings.Join(append(p.asked, ""), "\n")
			if d := cmp.Diff(c.asked, asked); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// rewrite puts a path into a file where it says TOKEN.
func rewrite(t *testing.T, path, token string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "TOKEN", token)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The container's token goes to nobody who is far.
func TestContainerAddress(t *testing.T) {
	for _, address := range []string{"http://example.com/", "http://10.0.0.1/", "http://169.254.169.254/", "http://localhost.example.com/", "http://2130706433/", "ftp://127.0.0.1/", "https://", "/relative", "http://127.0.0.1@example.com/"} {
		s, err := aws.Open(aws.Options{
			Region: "eu-central-1", Getenv: env("AWS_CONTAINER_CREDENTIALS_FULL_URI", address, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush"),
			Metadata: refusing{t},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Credentials(t.Context()); err == nil || !strings.Contains(err.Error(), "must be https") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// refusing is a network that must not be used.
type refusing struct{ t *testing.T }

func (n refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was asked", r.URL)
	return nil, http.ErrServerClosed
}

func TestRegion(t *testing.T) {
	config := file(t, "config", "[default]\nregion=r-default\n[profile p]\nregion=r-p\n[profile]\nregion=none\n")
	for want, o := range map[string]aws.Options{
		"r-option":  {Region: "r-option", Getenv: env("AWS_REGION", "r-env")},
		"r-env":     {Getenv: env("AWS_REGION", "r-env", "AWS_DEFAULT_REGION", "r-other")},
		"r-other":   {Getenv: env("AWS_DEFAULT_REGION", "r-other", "AWS_CONFIG_FILE", config)},
		"r-default": {Getenv: env("AWS_CONFIG_FILE", config)},
		"r-p":       {Getenv: env("AWS_CONFIG_FILE", config, "AWS_PROFILE", "p")},
	} {
		s, err := aws.Open(o)
		if err != nil || s.Region() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, region := range []string{"", "evil.example.com/", "a b", "x@y", "EU"} {
		if _, err := aws.Open(aws.Options{Region: region, Getenv: env()}); err == nil {
			t.Errorf("the region %q was taken", region)
		}
	}
}

// No profile's file makes the program fail other than with an error.
func FuzzProfiles(f *testing.F) {
	f.Add("[default]\nregion=r\n", "[default]\naws_access_key_id=a\naws_secret_access_key=b\n")
	f.Add("\ufeff[profile \"a b\"]\n a=b\n=\nx\n[profile]\n[", "]\n[]\n#")
	f.Fuzz(func(t *testing.T, config, credentials string) {
		s, err := aws.Open(aws.Options{Region: "r", Attempts: 1, HTTP: unreachable{}, Metadata: unreachable{}, Getenv: env("AWS_CONFIG_FILE", file(t, "c", config), "AWS_SHARED_CREDENTIALS_FILE", file(t, "s", credentials), "AWS_EC2_METADATA_DISABLED", "true")})
		if err != nil {
			return
		}
		ctx, cancel := timeout(t)
		defer cancel()
		if c, err := s.Credentials(ctx); err == nil && (c.AccessKeyID == "" || c.SecretAccessKey == "") {
			t.Error("credentials without a key")
		}
	})
}
