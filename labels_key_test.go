package narthex_test

import (
	"testing"

	"narthex"
)

// The labels of a key are kept for as long as their series, of which there are
// millions: they take the room of as many labels as there are.
func TestParseKeyTakesNoMoreRoom(t *testing.T) {
	for _, n := range []int{0, 1, 3, 5, 9} {
		var ls narthex.Labels
		for i := range n {
			ls = append(ls, narthex.Label{Name: string(rune('a' + i)), Value: "v"})
		}
		key := string(ls.AppendKey(nil))
		back, err := narthex.ParseKey(key)
		if err != nil || len(back) != n || cap(back) != n {
			t.Errorf("%d labels came back as %d with room for %d: %v", n, len(back), cap(back), err)
		}
		if n > 0 {
			if _, err := narthex.ParseKey(key[:len(key)-1]); err == nil {
				t.Errorf("the key of %d labels without its end is not refused", n)
			}
		}
	}
}
