package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	containerHost = "http://169.254.170.2"
	machineHost   = "http://169.254.169.254"
	metadataLimit = 64 << 10 // of an answer, in bytes
	// metadataWait is for one attempt. Where there is no such endpoint, packets
	// to it are often dropped without an answer.
	metadataWait = 2 * time.Second
)

// container gets the credentials of the container's task, pod or function.
func (s *Session) container(ctx context.Context) (Credentials, error) {
	env := s.options.Getenv
	address := env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		if !strings.HasPrefix(relative, "/") {
			return Credentials{}, errors.New("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash")
		}
		address = containerHost + relative
	} else if err := checkContainer(address); err != nil {
		return Credentials{}, err
	}
	header := make(http.Header)
	token := env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" { // it changes
		var err error
		if token, err = readSecret(file); err != nil {
			return Credentials{}, fmt.Errorf("read the container's token: %w", err)
		}
	}
	if strings.ContainsAny(token, "\r\n") {
		return Credentials{}, errors.New("the container's authorization token has more than one line")
	}
	if token != "" {
		header.Set("Authorization", token)
	}
	text, err := s.fetch(ctx, http.MethodGet, address, header)
	if err != nil {
		return Credentials{}, fmt.Errorf("get credentials of the container: %w", err)
	}
	return parseCredentials(text)
}

// checkContainer sees to it that the token goes to nobody who is far: over
// plain HTTP it may go to this machine and to the hosts of ECS and EKS.
func checkContainer(address string) error {
	u, err := url.Parse(address)
	if err == nil && u.Scheme == "https" && u.Host != "" {
		return nil
	}
	if err == nil && u.Scheme == "http" {
		if u.Hostname() == "localhost" {
			return nil
		}
		if ip, ierr := netip.ParseAddr(u.Hostname()); ierr == nil && (ip.Unmap().IsLoopback() || oneOf(ip.String(), "169.254.170.2", "169.254.170.23", "fd00:ec2::23")) {
			return nil
		}
	}
	return errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to loopback, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]")
}

// machine gets the credentials of the machine's role (EC2 User Guide, "Use the
// Instance Metadata Service", version 2).
func (s *Session) machine(ctx context.Context) (Credentials, error) {
	host := s.options.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	if host == "" {
		host = machineHost
	}
	host = strings.TrimSuffix(host, "/")
	token, err := s.fetch(ctx, http.MethodPut, host+"/latest/api/token", http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"300"}})
	if err != nil {
		return Credentials{}, fmt.Errorf("get a token of the machine's metadata: %w", err)
	}
	header := http.Header{"X-Aws-Ec2-Metadata-Token": {strings.TrimSpace(string(token))}}
	const path = "/latest/meta-data/iam/security-credentials/"
	role, err := s.fetch(ctx, http.MethodGet, host+path, header)
	if err != nil {
		return Credentials{}, fmt.Errorf("get the machine's role: %w", err)
	}
	name, _, _ := strings.Cut(strings.TrimSpace(string(role)), "\n")
	if name == "" {
		return Credentials{}, errors.New("the machine has no role")
	}
	text, err := s.fetch(ctx, http.MethodGet, host+path+url.PathEscape(name), header)
	if err != nil {
		return Credentials{}, fmt.Errorf("get credentials of the machine: %w", err)
	}
	return parseCredentials(text)
}

// fetch asks an endpoint beside us, three times at most.
func (s *Session) fetch(ctx context.Context, method, address string, header http.Header) (text []byte, err error) {
	for attempt := 1; ; attempt++ {
		var again bool
		if text, again, err = s.fetchOnce(ctx, method, address, header); err == nil || !again {
			return text, err
		}
		if attempt == 3 || !pause(ctx, gap(attempt, &Error{})) {
			return nil, err
		}
	}
}

func (s *Session) fetchOnce(ctx context.Context, method, address string, header http.Header) (text []byte, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, metadataWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, false, errors.New("the endpoint's address is not one")
	}
	r.Header = header
	resp, err := s.metadata.Do(r)
	if err != nil {
		return nil, true, err
	}
	defer resp.Body.Close()
	if text, err = readAtMost(resp.Body, metadataLimit); err != nil {
		return nil, true, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("%s answered %d", r.URL.Host, resp.StatusCode)
	}
	return text, false, nil
}

// parseCredentials reads the JSON of both endpoints.
func parseCredentials(text []byte) (Credentials, error) {
	var x struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      time.Time
		Code, Message   string
	}
	if err := json.Unmarshal(text, &x); err != nil { // whose text may quote a secret
		return Credentials{}, errors.New("the endpoint's credentials are not the JSON that they should be")
	}
	if x.Code != "" && x.Code != "Success" {
		return Credentials{}, fmt.Errorf("the endpoint gave no credentials: %s %s", short(x.Code), short(x.Message))
	}
	return Credentials{x.AccessKeyID, x.SecretAccessKey, x.Token, x.Expiration}, nil
}
