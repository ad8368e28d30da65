package auth

import "context"

// Caller is what a front that is trusted (API Gateway, a Lambda function URL)
// has found out about who sent a request.
type Caller struct {
	// Kind is how: iam, jwt, or lambda for an authorizer function.
	Kind string
	// Claims are what is known: those of the token, what the authorizer function
	// returned, or of IAM arn (a role's without its session), session, account,
	// user and org.
	Claims map[string]string
}

// CallerRule says which callers of a kind are taken and what they may do.
type CallerRule struct {
	Kind string
	Rule
}

// caller identifies by what a front has found out; known is false if there is
// none, or no rules for its kind.
func (a *Auth) caller(ctx context.Context) (id Identity, known bool, err error) {
	if a.o.Caller == nil {
		return Identity{}, false, nil
	}
	c, ok := a.o.Caller(ctx)
	if !ok {
		return Identity{}, false, nil
	}
	claims := make(claims, len(c.Claims))
	for name, value := range c.Claims {
		claims[name] = value
	}
	prefix := c.Kind + ":"
	if c.Kind == "jwt" { // as if it had been verified here
		prefix = jwtName(c.Claims["iss"])
	}
	for _, rule := range a.o.Callers {
		if rule.Kind != c.Kind {
			continue
		}
		if id, err = rule.apply(prefix, claims); err == nil {
			return id, true, nil
		}
		known = true
	}
	return Identity{}, known, err
}
