package main

import (
	"context"
	"fmt"

	"narthex/config"
)

// check explains a configuration.
func check(_ context.Context, args []string, t terminal) error {
	f := flags("check", t)
	reference := f.Bool("reference", false, "")
	defaults := f.Bool("defaults", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if *reference {
		_, err := fmt.Fprint(t.out, config.Reference())
		return err
	}
	if *defaults {
		return config.Default().Explain(t.out)
	}
	if f.NArg() > 1 {
		return usageError("it takes one file, but got %q too", f.Arg(1))
	}
	file := "narthex.yml"
	if f.NArg() == 1 {
		file = f.Arg(0)
	}
	c, err := load(file)
	if err != nil {
		return err
	}
	return c.Explain(t.out)
}
