package function

import (
	"context"
	"net/http"

	"narthex"
	"narthex/app"
	"narthex/auth"
	"narthex/internal/reply"
	"narthex/lambda"
)

// caller says whom the function's front has identified.
func caller(ctx context.Context) (auth.Caller, bool) {
	c, known := lambda.CallerOf(ctx)
	return auth.Caller(c), known
}

// front lets a request through if AWS has identified its sender, or, where the
// configuration has auth, if that knows the sender and lets them do it. A
// function URL that is open to anybody by mistake takes nothing.
func (n *instance) front(next http.Handler) http.Handler {
	guarded := n.access.Guard(next, func(reason string, r *http.Request) {
		n.logger.WarnContext(r.Context(), "a request was refused", "request_id", lambda.RequestID(r.Context()), "reason", reason, "from", r.RemoteAddr)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, known := lambda.CallerOf(r.Context())
		if !known && !n.access.Required() && !n.c.Lambda.AllowUnauthenticated && !app.Open(r) {
			reply.Error(w, http.StatusForbidden, "forbidden", "nobody has found out who sent this: have AWS do it (AWS_IAM on the function URL or the API, or an authorizer), "+
				"configure auth, or say lambda.allow_unauthenticated: true if whoever knows the address may push")
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// identity says who sent a request, by what auth or what stands in front of the
// function has found out. Ids of two identities never meet.
func (n *instance) identity(r *http.Request) (string, narthex.Labels) {
	if n.access.Required() {
		return app.IdentityOf(r)
	}
	c, ok := lambda.CallerOf(r.Context())
	if !ok {
		return "", nil
	}
	switch c.Kind {
	case "iam":
		return "iam:" + c.Claims["arn"], nil
	case "jwt":
		return "jwt:" + c.Claims["iss"] + " " + c.Claims["sub"], nil
	}
	return c.Kind + ":" + c.Claims["principalId"], nil
}
