// Command dashboards writes narthex's Grafana dashboards as JSON, one file each,
// into the directory that it is given:
//
//	go run . ../grafana/dashboards
//
// They are committed; make dashboards writes them anew. A dashboard is a table of
// panels in a file of its own (pushes.go, logs.go, probes.go, itself.go); panel.go
// turns the table into Grafana's model, by Grafana's own types.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards DIRECTORY")
		os.Exit(2)
	}
	for _, b := range []board{pushes(), logs(), probes(), itself()} {
		if err := b.write(os.Args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "dashboards: %s: %v\n", b.file, err)
			os.Exit(1)
		}
	}
}

// write writes the dashboard to its file.
func (b *board) write(dir string) error {
	d, err := b.build()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, b.file), out.Bytes(), 0o644)
}
