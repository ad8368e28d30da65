package lambda

import (
	"context"
	"encoding/json"
	"strings"
)

// Caller is who sent an HTTP request, as API Gateway or the function URL found
// out before the function was invoked. It comes from the event and never from a
// header, so that no sender can claim to be one.
type Caller struct {
	// Kind is how it was found out: iam, jwt, or lambda for an authorizer
	// function.
	Kind string
	// Claims are what is known: those of the token, what the authorizer function
	// returned, or of IAM arn, session, account, user and org. The arn of an
	// assumed role is without its session, which is another for each process:
	// retries of one push must come from one identity.
	Claims map[string]string
}

type callerKey struct{}

// CallerOf returns who sent the request that a handler's context belongs to,
// false if nobody has found out.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// authorizer is requestContext.authorizer, of which one part is there.
//
// Source: "Create Lambda proxy integrations for HTTP APIs" (API Gateway) and
// "Invoking Lambda function URLs" (Lambda), payload format 2.0.
type authorizer struct {
	IAM *struct {
		AccountID string `json:"accountId"`
		Org       string `json:"principalOrgId"`
		ARN       string `json:"userArn"`
		UserID    string `json:"userId"`
	} `json:"iam"`
	JWT *struct {
		Claims map[string]any `json:"claims"`
	} `json:"jwt"`
	Lambda map[string]any `json:"lambda"`
}

// caller returns who the event says that the sender is. What can't be read is
// nobody.
func (e *httpEvent) caller() (Caller, bool) {
	var a authorizer
	if len(e.Context.Authorizer) == 0 || json.Unmarshal(e.Context.Authorizer, &a) != nil {
		return Caller{}, false
	}
	switch {
	case a.IAM != nil && a.IAM.ARN != "":
		arn, session := cutSession(a.IAM.ARN)
		return Caller{"iam", present(map[string]string{
			"arn": arn, "session": session, "account": a.IAM.AccountID, "user": a.IAM.UserID, "org": a.IAM.Org,
		})}, true
	case a.JWT != nil && len(a.JWT.Claims) > 0:
		return Caller{"jwt", texts(a.JWT.Claims)}, true
	case len(a.Lambda) > 0:
		return Caller{"lambda", texts(a.Lambda)}, true
	}
	return Caller{}, false
}

// cutSession takes the session off the ARN of an assumed role:
// arn:aws:sts::123456789012:assumed-role/ROLE/SESSION.
func cutSession(arn string) (rest, session string) {
	role, found := strings.CutPrefix(resource(arn), "assumed-role/")
	i := strings.LastIndexByte(role, '/')
	if !found || i < 0 {
		return arn, ""
	}
	return strings.TrimSuffix(arn, role[i:]), role[i+1:]
}

// resource returns what stands behind the fifth colon of an ARN.
func resource(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	return parts[len(parts)-1]
}

// present takes out what is not known.
func present(m map[string]string) map[string]string {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

// texts returns the values that are text, numbers or booleans; API Gateway turns
// most into text itself.
func texts(m map[string]any) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		switch v := v.(type) {
		case string:
			out[k] = v
		case float64, bool:
			if b, err := json.Marshal(v); err == nil {
				out[k] = string(b)
			}
		}
	}
	return out
}
