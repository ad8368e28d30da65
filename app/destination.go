package app

import (
	"log/slog"

	"narthex"
	"narthex/config"
	"narthex/remotewrite"
)

// Destination is one of remote_write.
type Destination struct {
	Name  string
	Sink  narthex.Sink // its labels, its relabelling, and then what sends
	Stats func() remotewrite.Stats
}

// Destinations makes the destinations of a configuration. It does not touch the
// network.
func Destinations(c *config.Config, version string, log *slog.Logger) ([]Destination, error) {
	all, err := outlets(c, version, log)
	if err != nil {
		return nil, err
	}
	out := make([]Destination, len(all))
	for i, o := range all {
		out[i] = Destination{o.config.Name, o.sink, o.client.Stats}
	}
	return out, nil
}
