//go:build unix && !linux

package emulator

import (
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// spawner starts processes in groups of their own.
type spawner struct{}

func newSpawner() (*spawner, error) { return &spawner{}, nil }

func (*spawner) start(cmd *exec.Cmd, _ *group) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Start()
}

func (*spawner) close() {}

// group is nothing here.
type group struct{}

var errNoGroups = errors.New("the processor and the memory can't be rationed here: control groups are Linux's")

func newGroup(string) (*group, error)     { return nil, errNoGroups }
func (*group) limit(float64, int64) error { return errNoGroups }
func (*group) usage() (used, error)       { return used{}, errNoGroups }
func (*group) remove()                    {}

func residentPeak(int) int64          { return 0 }
func processorTime(int) time.Duration { return 0 }
