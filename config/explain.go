package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Explain writes each setting on a line of its own, in the order of the
// documentation: its name, its value, whether the file or the default gives it,
// and what it means.
func (c *Config) Explain(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range options {
		from := "default"
		if line := c.set[o.path]; line > 0 {
			from = fmt.Sprintf("%s:%d", c.name, line)
		}
		if name := c.given[o.path]; name != "" {
			from = name
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.path, o.in(c), from, o.help)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("explain the configuration: %w", err)
	}
	for _, note := range c.notes {
		if _, err := fmt.Fprintln(w, note); err != nil {
			return fmt.Errorf("explain the configuration: %w", err)
		}
	}
	return nil
}

// Reference returns the list of all settings in Markdown, for the
// documentation.
func Reference() string {
	var b strings.Builder
	b.WriteString("| setting | default | values | meaning |\n|---|---|---|---|\n")
	c := Default()
	for _, o := range options {
		v := o.in(c)
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", o.path, v, strings.ReplaceAll(v.wants(), "|", `\|`), o.help)
	}
	return b.String()
}
