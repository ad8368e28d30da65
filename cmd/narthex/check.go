package main

import (
	"context"
	"fmt"
	"time"

	"narthex/app"
	"narthex/config"
)

const checkHelp = `usage: narthex check [FILE]

Reads a configuration (default narthex.yml) and prints every setting, its value,
where it comes from and what it means; or everything that is wrong with it, with
the lines.

Where AWS is part of it, the quotas of Amazon Managed Prometheus and Lambda follow,
with how much of each the configuration may want: its limits, or what is said here.

  --for lambda      say also what the Lambda function can't do of it, and what has
                    no effect there
  --series N        how many active series are expected (default limits.series)
  --retention D     how long samples are to be kept, such as 400d
  --reference       print the reference of all settings, as Markdown
  --defaults        print the settings that hold without a file

Exit codes: 0 the configuration is good, 2 it is not.
`

// check explains a configuration.
func check(_ context.Context, args []string, t terminal) error {
	f := flags("check", t)
	reference := f.Bool("reference", false, "")
	defaults := f.Bool("defaults", false, "")
	program := f.String("for", "", "")
	series := f.Int("series", 0, "")
	retention := f.String("retention", "", "")
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
	if *program != "" && *program != "lambda" {
		return usageError("--for is %q: want lambda, or nothing for narthex serve", *program)
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
	if err := app.CheckProbes(c, probeFeatures()); err != nil {
		return &exitError{exitUsage, err}
	}
	var notes []string
	if *program != "" {
		if notes, err = c.ForLambda(); err != nil {
			return &exitError{exitUsage, err}
		}
	}
	var keep time.Duration
	if *retention != "" {
		if keep, err = config.ParseDuration(*retention); err != nil {
			return usageError("--retention: %v", err)
		}
	}
	if err := c.Explain(t.out); err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(t.out, note)
	}
	return quotas(t.out, use(c, *series, keep))
}
