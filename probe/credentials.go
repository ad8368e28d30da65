package probe

import "strings"

// HasCredentials reports whether the module sends its target what others should
// not have: an authentication, a header that is one by its name, or anything that
// comes from the environment. What query_response sends is not looked at.
func (m *Module) HasCredentials() bool {
	if m.environment {
		return true
	}
	switch m.Prober {
	case "http":
		for name := range m.HTTP.Headers {
			if secretHeader(name) {
				return true
			}
		}
		return m.HTTP.SigV4 != nil || m.HTTP.Client.hasCredentials()
	case "websocket":
		return m.WebSocket.Client.hasCredentials() || secretValues(m.WebSocket.Headers)
	case "grpc":
		for name := range m.GRPC.Metadata {
			if secretHeader(name) {
				return true
			}
		}
	}
	return false
}

func (c *HTTPClient) hasCredentials() bool {
	return c.BasicAuth != nil || c.AuthType != "" || c.OAuth2 != nil || secretValues(c.HTTPHeaders)
}

// secretValues reports whether some header is a credential.
func secretValues(headers map[string]HeaderValues) bool {
	for name, h := range headers {
		if secretHeader(name) || len(h.Secrets)+len(h.Files) > 0 {
			return true
		}
	}
	return false
}

// secretHeader reports whether a header is a credential by its name.
func secretHeader(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "cookie", "token", "key", "secret", "passw", "session", "sign", "credential", "jwt"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
