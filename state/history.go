package state

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// history lists the nonces of the last writes to a value, the newest first,
// joined by commas. It is stored with the value.
//
// A write whose answer was lost is sent again, and is refused then, because
// the value is no longer the one it was to replace. The history tells whether
// that is so because of the write itself: its nonce is in it. It holds more
// than the newest, because another writer may have been quick to replace the
// value; the lost write took place all the same, and to call it a conflict
// would have its change applied twice.
type history string

// remembered is how many nonces a history holds: as many other writes may come
// between a write and its repetition. S3 takes 2 KB of user metadata.
const remembered = 128

// next returns the history of a write after h, and the write's nonce.
func (h history) next() (history, string) {
	var random [6]byte
	rand.Read(random[:]) // never fails
	nonce := base64.RawURLEncoding.EncodeToString(random[:])
	if h == "" {
		return history(nonce), nonce
	}
	if list := h.list(); len(list) >= remembered {
		h = history(strings.Join(list[:remembered-1], ","))
	}
	return history(nonce) + "," + h, nonce
}

func (h history) list() []string {
	if h == "" {
		return nil
	}
	return strings.Split(string(h), ",")
}

// repeated tells, from the history now, what became of a write after h that
// was sent more than once: nil if it has been done, [ErrConflict] if it has
// not, and another error if so much was written since that nobody knows.
func (h history) repeated(nonce string, now history) error {
	list := now.list()
	switch before := h.list(); {
	case slices.Contains(list, nonce):
		return nil
	case len(list) < remembered || len(before) > 0 && slices.Contains(list, before[0]):
		return ErrConflict
	}
	return errors.New("the answer was lost, and so much was written since that it is not known whether this write has been done")
}
