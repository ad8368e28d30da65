package signin

import "net/http"

// Local is where a sign-in leads that was begun on the way to a path.
func Local(s *SignIn, r *http.Request, to string) string { return s.local(r, to) }
