//go:build !unix

package emulator

import (
	"errors"
	"os/exec"
	"syscall"
	"time"
)

const (
	sigStop = syscall.Signal(-1)
	sigCont = syscall.Signal(-2)
)

func signalGroup(int, syscall.Signal) {}

var errSystem = errors.New("it needs a Unix: Linux, or a Mac for a bootstrap built for one")

type spawner struct{}

func newSpawner() (*spawner, error) { return nil, errSystem }

func (*spawner) start(*exec.Cmd, *group) error { return errSystem }
func (*spawner) close()                        {}

type group struct{}

func newGroup(string) (*group, error)     { return nil, errSystem }
func (*group) limit(float64, int64) error { return errSystem }
func (*group) usage() (used, error)       { return used{}, errSystem }
func (*group) remove()                    {}
func residentPeak(int) int64              { return 0 }
func processorTime(int) time.Duration     { return 0 }
