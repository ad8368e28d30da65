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

// identity is requestContext.identity of payload format 1.0: who has signed a
// request for AWS_IAM.
type identity struct {
	SourceIP  string `json:"sourceIp"`
	AccountID string `json:"accountId"`
	ARN       string `json:"userArn"`
	User      string `json:"user"` // AIDA…, or AROA…:session
	Org       string `json:"principalOrgId"`
}

// callerOf returns who an event says that the sender is. What can't be read is
// nobody. id is that of payload format 1.0, whose authorizer has other fields:
// claims of a token, or what an authorizer function has returned.
func callerOf(text json.RawMessage, id *identity) (Caller, bool) {
	if id != nil && id.ARN != "" {
		return iamCaller(id.ARN, id.AccountID, id.User, id.Org), true
	}
	var a authorizer
	if len(text) == 0 || json.Unmarshal(text, &a) != nil {
		return Caller{}, false
	}
	if id != nil {
		return callerFormat1(text)
	}
	switch {
	case a.IAM != nil && a.IAM.ARN != "":
		return iamCaller(a.IAM.ARN, a.IAM.AccountID, a.IAM.UserID, a.IAM.Org), true
	case a.JWT != nil && len(a.JWT.Claims) > 0:
		return Caller{"jwt", texts(a.JWT.Claims)}, true
	case len(a.Lambda) > 0:
		return Caller{"lambda", texts(a.Lambda)}, true
	}
	return Caller{}, false
}

func iamCaller(whole, account, user, org string) Caller {
	arn, session := cutSession(whole)
	return Caller{"iam", present(map[string]string{"arn": arn, "session": session, "account": account, "user": user, "org": org})}
}

// callerFormat1 reads the authorizer of payload format 1.0.
//
// Source: "Lambda proxy integrations in API Gateway", "$context variables".
func callerFormat1(text json.RawMessage) (Caller, bool) {
	var a map[string]any
	if json.Unmarshal(text, &a) != nil {
		return Caller{}, false
	}
	if claims, ok := a["claims"].(map[string]any); ok && len(claims) > 0 {
		return Caller{"jwt", texts(claims)}, true
	}
	if all := texts(a); all["principalId"] != "" {
		return Caller{"lambda", all}, true
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
