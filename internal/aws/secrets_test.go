package aws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"narthex/internal/aws"
	"narthex/internal/awstest"
)

// secretStore answers as SSM and Secrets Manager do, by their API references.
func secretStore(t *testing.T) *aws.Session {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in struct {
			Name, SecretID string
			WithDecryption bool
		}
		if err := json.Unmarshal(body, &in); err != nil || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || !strings.Contains(r.Header.Get("Authorization"), "/aws4_request") {
			t.Errorf("asked for %s with %v: %v", body, r.Header, err)
		}
		switch op := r.Header.Get("X-Amz-Target"); {
		case op == "AmazonSSM.GetParameter" && in.Name == "/narthex/token" && in.WithDecryption:
			fmt.Fprint(w, `{"Parameter":{"Name":"/narthex/token","Type":"SecureString","Value":"s3cret","Version":3}}`)
		case op == "AmazonSSM.GetParameter" && in.Name == "/empty":
			fmt.Fprint(w, `{"Parameter":{"Name":"/empty","Value":""}}`)
		case op == "secretsmanager.GetSecretValue" && in.SecretID == "db":
			fmt.Fprint(w, `{"Name":"db","SecretString":"{\"password\":\"s3cret\",\"port\":5432}"}`)
		case op == "secretsmanager.GetSecretValue" && in.SecretID == "binary":
			fmt.Fprint(w, `{"Name":"binary","SecretBinary":"czNjcmV0"}`)
		case strings.HasPrefix(op, "AmazonSSM"):
			w.WriteHeader(400)
			fmt.Fprint(w, `{"__type":"ParameterNotFound"}`)
		default:
			w.WriteHeader(400)
			fmt.Fprint(w, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}`)
		}
	}))
	t.Cleanup(server.Close)
	return awstest.Session(t, server.URL)
}

func TestSecret(t *testing.T) {
	s := secretStore(t)
	for ref, want := range map[string]string{
		"ssm:/narthex/token":         "s3cret",
		"secretsmanager:db#password": "s3cret",
		"secretsmanager:db":          `{"password":"s3cret","port":5432}`,
		"secretsmanager:binary":      "s3cret",
	} {
		if got, err := s.Secret(t.Context(), ref); got != want || err != nil {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for ref, want := range map[string]string{
		"ssm:/none":                "ParameterNotFound",
		"ssm:/empty":               "ssm:/empty is empty",
		"secretsmanager:none":      "ResourceNotFoundException",
		"secretsmanager:db#port":   `no key "port", or no text`,
		"secretsmanager:db#user":   `no key "user"`,
		"secretsmanager:binary#x":  "is not a JSON object",
		"secretsmanager:#password": "not a reference",
		"ssm:":                     "not a reference",
		"vault:x":                  "not a reference",
	} {
		_, err := s.Secret(t.Context(), ref)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
		if strings.HasSuffix(ref, "none") && !errors.Is(err, aws.ErrNotFound) {
			t.Errorf("%s: %v is not ErrNotFound", ref, err)
		}
	}
}
