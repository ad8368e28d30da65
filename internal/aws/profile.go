package aws

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// profileLimit bounds the files of profiles, in bytes.
const profileLimit = 1 << 20

// profile is what the files say of one profile: its keys and their values.
type profile map[string]string

// profiles are all profiles by name.
type profiles map[string]profile

// readProfiles reads the shared config and credentials files. A file that does
// not exist has no profiles. The credentials file counts where both have a key.
func readProfiles(env func(string) string) (profiles, error) {
	home := env("HOME")
	if home == "" {
		home = env("USERPROFILE")
	}
	all := make(profiles)
	for _, f := range []struct {
		variable, name string
		config         bool
	}{
		{"AWS_CONFIG_FILE", "config", true},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials", false},
	} {
		path := env(f.variable)
		if path == "" {
			if home == "" {
				continue
			}
			path = filepath.Join(home, ".aws", f.name)
		}
		if err := all.readFile(path, f.config); err != nil {
			return nil, fmt.Errorf("read the AWS profiles: %w", err)
		}
	}
	return all, nil
}

func (all profiles) readFile(path string, config bool) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := readAtMost(f, profileLimit)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	all.parse(text, config)
	return nil
}

// parse reads the lines of a file (AWS SDKs and Tools Reference Guide, "Shared
// config and credentials files"). In the config file a profile's section is
// [profile name], but for [default]; sections of other kinds, settings nested
// below one, and lines that are neither are passed over.
func (all profiles) parse(text []byte, config bool) {
	var p profile
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	lines.Buffer(nil, profileLimit+1)
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[':
			p = all.section(trimmed, config)
		case line[0] == ' ' || line[0] == '\t' || p == nil: // nested, or of no profile
		default:
			if key, value, ok := strings.Cut(trimmed, "="); ok {
				p[strings.ToLower(strings.TrimSpace(key))] = withoutComment(value)
			}
		}
	}
}

// section returns the profile that a section's line begins, nil if it is not
// that of a profile.
func (all profiles) section(line string, config bool) profile {
	name, _, closed := strings.Cut(line[1:], "]")
	name = strings.TrimSpace(name)
	if config && name != "default" {
		rest, ok := strings.CutPrefix(name, "profile")
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
			return nil
		}
		name = strings.TrimSpace(rest)
	}
	if name = strings.Trim(name, `"'`); !closed || name == "" {
		return nil
	}
	if all[name] == nil {
		all[name] = make(profile)
	}
	return all[name]
}

// withoutComment cuts a comment, which a space must precede.
func withoutComment(value string) string {
	for _, mark := range []string{" #", " ;", "\t#", "\t;"} {
		value, _, _ = strings.Cut(value, mark)
	}
	return strings.TrimSpace(value)
}

// hasCredentials reports whether a profile is a place to find credentials.
func (p profile) hasCredentials() bool {
	return p["aws_access_key_id"] != "" || p["role_arn"] != "" || p.refused() != ""
}

// refused returns the key by which a profile gets its credentials in a way
// that is not supported here.
func (p profile) refused() string {
	for _, key := range []string{"credential_process", "sso_session", "sso_start_url", "login_session", "mfa_serial"} {
		if p[key] != "" {
			return key
		}
	}
	return ""
}

// unsupported says, for the end of an error, how to get at the credentials of
// a profile all the same.
func (p profile) unsupported(name string) string {
	key := p.refused()
	if key == "" {
		return ""
	}
	return fmt.Sprintf(": narthex does not follow its %s; run `aws configure export-credentials --profile %s --format env` and set what that prints", key, name)
}

// readAtMost reads all of r, which must not be longer than limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("over %d bytes: %w", limit, ErrTooLarge)
	}
	return text, err
}
