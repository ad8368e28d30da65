package state_test

import (
	"errors"
	"net/http"
	"testing"

	"narthex/internal/awstest"
	"narthex/state"
)

// overtaken has the next write meet a fault, and something happen before the one
// after it.
type overtaken struct {
	fault     awstest.Fault
	losing    bool
	meanwhile func()
}

func (o *overtaken) decide(r *http.Request, _ int) awstest.Fault {
	if !writes(r) {
		return awstest.Pass
	}
	if o.losing {
		o.losing = false
		return o.fault
	}
	if do := o.meanwhile; do != nil {
		o.meanwhile = nil
		do()
	}
	return awstest.Pass
}

// When more was written after a save whose answer was lost than is remembered,
// the save is not called a conflict: it may have been done.
func TestStoreLongLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault awstest.Fault // of the save
	}{{"done", awstest.Lose}, {"not done", awstest.Refuse}} {
		o := &overtaken{fault: c.fault}
		for name, open := range remote(t, o.decide) {
			t.Run(name+" "+c.name, func(t *testing.T) {
				for _, others := range []int{127, 128} {
					s := open()
					if err := increment(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					prev, err := s.Load(t.Context(), "n")
					if err != nil {
						t.Fatal(err)
					}
					o.losing = true
					o.meanwhile = func() {
						for range others {
							if err := increment(t.Context(), s); err != nil {
								t.Error(err)
							}
						}
					}
					_, err = s.Save(t.Context(), "n", prev, []byte("2"))
					known := others < 128
					switch {
					case !known && (err == nil || errors.Is(err, state.ErrConflict)):
						t.Errorf("%d writes later: %v, want another error than ErrConflict", others, err)
					case known && c.fault == awstest.Lose && err != nil:
						t.Errorf("%d writes later: %v, want nil: it was done", others, err)
					case known && c.fault == awstest.Refuse && !errors.Is(err, state.ErrConflict):
						t.Errorf("%d writes later: %v, want ErrConflict", others, err)
					}
				}
			})
		}
	}
}
