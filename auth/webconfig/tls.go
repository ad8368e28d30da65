package webconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// tlsYAML is tls_server_config.
type tlsYAML struct {
	Cert       string   `yaml:"cert"`
	Key        string   `yaml:"key"`
	ClientCA   string   `yaml:"client_ca"`
	CertFile   string   `yaml:"cert_file"`
	KeyFile    string   `yaml:"key_file"`
	ClientAuth string   `yaml:"client_auth_type"`
	ClientFile string   `yaml:"client_ca_file"`
	SANs       []string `yaml:"client_allowed_sans"`
	Ciphers    []string `yaml:"cipher_suites"`
	Curves     []string `yaml:"curve_preferences"`
	Min        string   `yaml:"min_version"`
	Max        string   `yaml:"max_version"`
	// Go has its own order since 1.17, whatever is said here.
	PreferServer *bool `yaml:"prefer_server_cipher_suites"`
}

var clientAuth = map[string]tls.ClientAuthType{
	"":                           tls.NoClientCert,
	"NoClientCert":               tls.NoClientCert,
	"RequestClientCert":          tls.RequestClientCert,
	"RequireAnyClientCert":       tls.RequireAnyClientCert,
	"RequireClientCert":          tls.RequireAnyClientCert, // its name in the first version of the format
	"VerifyClientCertIfGiven":    tls.VerifyClientCertIfGiven,
	"RequireAndVerifyClientCert": tls.RequireAndVerifyClientCert,
}

var versions = map[string]uint16{
	"TLS10": tls.VersionTLS10, "TLS11": tls.VersionTLS11, "TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13,
}

var curves = map[string]tls.CurveID{
	"CurveP256": tls.CurveP256, "CurveP384": tls.CurveP384, "CurveP521": tls.CurveP521, "X25519": tls.X25519,
}

// used reports whether there is to be TLS.
func (y *tlsYAML) used() bool {
	for _, s := range []string{y.Cert, y.Key, y.CertFile, y.KeyFile, y.ClientCA, y.ClientFile, y.ClientAuth} {
		if s != "" {
			return true
		}
	}
	return false
}

// check says what is wrong without looking at other files.
func (y *tlsYAML) check() error {
	if _, err := y.settings(); err != nil {
		return fmt.Errorf("tls_server_config: %w", err)
	}
	if !y.used() {
		return nil
	}
	switch {
	case y.Cert == "" && y.CertFile == "":
		return errors.New("tls_server_config: cert_file is missing (or cert)")
	case y.Key == "" && y.KeyFile == "":
		return errors.New("tls_server_config: key_file is missing (or key)")
	case y.Cert != "" && y.CertFile != "", y.Key != "" && y.KeyFile != "", y.ClientCA != "" && y.ClientFile != "":
		return errors.New("tls_server_config: a certificate or key is given both in the file and as a file: give one of them")
	}
	return nil
}

// settings returns the TLS without certificates.
func (y *tlsYAML) settings() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	var err error
	if y.Min != "" {
		c.MinVersion, err = pick("min_version", versions, y.Min)
	}
	if y.Max != "" && err == nil {
		c.MaxVersion, err = pick("max_version", versions, y.Max)
	}
	if err == nil && c.MinVersion > c.MaxVersion {
		err = errors.New("min_version is above max_version")
	}
	if err != nil {
		return nil, err
	}
	if c.ClientAuth, err = pick("client_auth_type", clientAuth, y.ClientAuth); err != nil {
		return nil, err
	}
	hasCA := y.ClientCA != "" || y.ClientFile != ""
	switch verifies := c.ClientAuth >= tls.VerifyClientCertIfGiven; {
	case hasCA && c.ClientAuth == tls.NoClientCert:
		return nil, errors.New("there is a client CA but client_auth_type does not ask for certificates: want RequireAndVerifyClientCert")
	case verifies && !hasCA: // else the system's authorities, all of them, would do
		return nil, errors.New("client_ca_file is missing: client_auth_type verifies certificates")
	case len(y.SANs) > 0 && c.ClientAuth != tls.RequireAndVerifyClientCert:
		return nil, errors.New("client_allowed_sans needs client_auth_type RequireAndVerifyClientCert")
	}
	for _, name := range y.Ciphers {
		i := slices.IndexFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the cipher suite %.80q is not known, or insecure", name)
		}
		c.CipherSuites = append(c.CipherSuites, tls.CipherSuites()[i].ID)
	}
	for _, name := range y.Curves {
		curve, err := pick("curve_preferences", curves, name)
		if err != nil {
			return nil, err
		}
		c.CurvePreferences = append(c.CurvePreferences, curve)
	}
	return c, nil
}

func pick[T any](setting string, known map[string]T, name string) (T, error) {
	v, ok := known[name]
	if !ok {
		return v, fmt.Errorf("%s: %.80q is not known", setting, name)
	}
	return v, nil
}

// config returns the TLS and the files it was made of.
func (y *tlsYAML) config(dir string) (*tls.Config, []string, error) {
	c, err := y.settings()
	if err != nil {
		return nil, nil, err
	}
	var files []string
	content := func(text, file string) ([]byte, error) {
		if file == "" {
			return []byte(text), nil
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		files = append(files, file)
		return readFile(file)
	}
	cert, err := content(y.Cert, y.CertFile)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate: %w", err)
	}
	key, err := content(y.Key, y.KeyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("the key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate and its key: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	if y.ClientCA == "" && y.ClientFile == "" {
		return c, files, nil
	}
	authorities, err := content(y.ClientCA, y.ClientFile)
	if err != nil {
		return nil, nil, fmt.Errorf("the client CA: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, nil, errors.New("the client CA has no certificate in PEM")
	}
	if len(y.SANs) > 0 {
		c.VerifyConnection = y.allowed
	}
	return c, files, nil
}

// allowed refuses clients whose certificate has none of the allowed names. It
// is called for resumed connections too.
func (y *tlsYAML) allowed(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("there is no client certificate")
	}
	c := s.PeerCertificates[0]
	names := slices.Concat(c.DNSNames, c.EmailAddresses)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(y.SANs, n) }) {
		return errors.New("the client certificate has none of the allowed names")
	}
	return nil
}
