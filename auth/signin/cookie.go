package signin

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	partSize = 3600 // bytes of a cookie's value: browsers keep 4096 with its name
	maxParts = 3    // function URLs and API Gateway take 10 KiB of headers
)

// cookie is one of ours, in as many parts as its value needs.
type cookie struct {
	name   string
	secure bool
}

// cookieNamed returns the cookie with the name. Over TLS it is __Host-: then no
// other host, a neighbour's subdomain included, can set it.
func cookieNamed(name string, secure bool) cookie {
	if secure {
		name = "__Host-" + name
	}
	return cookie{name, secure}
}

func (c cookie) part(i int) string {
	if i == 0 {
		return c.name
	}
	return c.name + "." + strconv.Itoa(i)
}

// set gives the browser a value, for a while. It reports whether there is room
// for it.
func (c cookie) set(w http.ResponseWriter, value string, life time.Duration) bool {
	n := (len(value) + partSize - 1) / partSize
	if n == 0 || n > maxParts {
		return false
	}
	for i := range n {
		part := value[i*partSize : min(len(value), (i+1)*partSize)]
		if i == 0 {
			part = strconv.Itoa(n) + "." + part
		}
		c.write(w, i, part, int(life/time.Second))
	}
	return true
}

// clear takes it back from the browser.
func (c cookie) clear(w http.ResponseWriter, r *http.Request) {
	for i := range maxParts {
		if _, err := r.Cookie(c.part(i)); err == nil {
			c.write(w, i, "", -1)
		}
	}
}

// write sets one part. Lax: the browser sends it when somebody follows a link to
// us, as the provider's answer is one, and never with a request that another site
// makes it send.
func (c cookie) write(w http.ResponseWriter, i int, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: c.part(i), Value: value, Path: "/", MaxAge: age, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// get returns the value, "" if there is none.
func (c cookie) get(r *http.Request) string {
	first, ok := c.only(r, 0)
	count, value, dot := strings.Cut(first, ".")
	n, err := strconv.Atoi(count)
	if !ok || !dot || err != nil || n < 1 || n > maxParts {
		return ""
	}
	for i := 1; i < n; i++ {
		part, ok := c.only(r, i)
		if !ok {
			return ""
		}
		value += part
	}
	return value
}

// only returns a part that is there once: of two one is not ours.
func (c cookie) only(r *http.Request, i int) (string, bool) {
	all := r.CookiesNamed(c.part(i))
	if len(all) != 1 {
		return "", false
	}
	return all[0].Value, true
}
