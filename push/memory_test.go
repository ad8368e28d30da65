package push_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"narthex/push"
)

// TestReceiptsKeepNoBodies: the door remembers the last pushes, of which each may
// have had a body as large as it likes. What is remembered must not hold it.
func TestReceiptsKeepNoBodies(t *testing.T) {
	s := serve(push.Options{})
	const n, size = 30, 2 << 20
	pad := strings.Repeat(" ", size)
	before := heap()
	for i := range n {
		w := s.push(fmt.Sprintf(`{"id":"push-%d","counters":[{"name":"a_total","add":1},{"name":"b_total","add":-1}]%s}`, i, pad))
		if w.Code != 200 {
			t.Fatalf("%d: %d %s", i, w.Code, w.Body)
		}
		s.batches = nil // the sink's are not the door's
	}
	if grown := heap() - before; grown > n*size/4 {
		t.Errorf("after %d pushes of %d bytes %d bytes more are in use: the receipts hold the bodies", n, size, grown)
	}
	if w := s.do("GET", "/api/v1/receipts/push-0", ""); w.Code != 200 || fields(t, w)["id"] != "push-0" {
		t.Errorf("the first receipt: %d %s", w.Code, w.Body)
	}
}

// heap returns how many bytes are in use once what is not has been freed.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what a sync.Pool holds lives for two
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
