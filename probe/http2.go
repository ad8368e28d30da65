//go:build !nethttpomithttp2

package probe

// http2 says that net/http has HTTP/2: a program may be built without it.
const http2 = true
