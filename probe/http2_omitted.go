//go:build nethttpomithttp2

package probe

// http2 says that net/http has HTTP/2.
const http2 = false
