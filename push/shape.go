package push

import (
	"errors"
	"strings"

	"narthex/internal/message"
)

// shapeError says that a JSON text has another shape than a push has.
type shapeError struct {
	path string // series[2].samples[0].value, "" for the whole
	msg  string
}

func (e *shapeError) Error() string {
	if e.path == "" {
		return "the body: " + e.msg
	}
	return e.path + ": " + e.msg
}

// under puts step before the path of a shapeError and leaves other errors as
// they are.
func under(step string, err error) error {
	var e *shapeError
	if errors.As(err, &e) {
		if e.path != "" && e.path[0] != '[' {
			step += "."
		}
		e.path = step + e.path
	}
	return err
}

// step returns a field's name as it stands in a path.
func step(name string) string {
	plain := func(r rune) bool {
		return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	if name == "" || len(name) > 80 || strings.TrimLeftFunc(name, plain) != "" {
		return "[" + message.Quote(name) + "]"
	}
	return name
}
