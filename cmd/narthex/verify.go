package main

import (
	"context"
	"errors"
)

const verifyHelp = "usage: narthex verify URL [flags]\n"

func verifyCommand(context.Context, []string, terminal) error { return errors.New("not yet") }
