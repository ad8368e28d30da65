//go:build linux

package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// disk is a program whose data is on a small file system of its own.
type disk struct {
	*program
	image, device string // "" where the machine refuses to mount one
	readOnly      bool
}

func newDisk(r *run) world {
	d := &disk{program: prepareProgram(r)}
	d.Data = filepath.Join(d.dir, "disk", "data")
	if err := os.Mkdir(filepath.Dir(d.Data), 0o700); err != nil {
		r.Fatal(err)
	}
	d.image = filepath.Join(d.dir, "disk.img")
	if err := d.format(); err != nil {
		r.Logf("THIS MACHINE MOUNTS NO DISK (%v): full and read-only are a limit of the file size (RLIMIT_FSIZE) instead, with which all writes of the program fail", err)
		d.image = ""
	}
	r.Cleanup(func() {
		d.kill()
		if d.image != "" {
			d.unmount()
		}
	})
	d.mustStart()
	return d
}

// format makes the file system and mounts it.
func (d *disk) format() error {
	f, err := os.Create(d.image)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(96 << 20); err != nil {
		return err
	}
	if text, err := exec.Command("/usr/sbin/mkfs.ext4", "-q", "-m", "0", d.image).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, text)
	}
	return d.mount()
}

func (d *disk) mount() error {
	at := filepath.Dir(d.Data)
	if text, err := exec.Command("mount", "-o", "loop,errors=remount-ro", d.image, at).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, text)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == at {
			d.device = filepath.Base(f[0])
		}
	}
	return nil
}

func (d *disk) unmount() {
	if text, err := exec.Command("umount", filepath.Dir(d.Data)).CombinedOutput(); err != nil {
		d.r.Errorf("umount: %v: %s", err, text)
		exec.Command("umount", "-l", filepath.Dir(d.Data)).Run()
	}
}

func (d *disk) actions() map[string]func(r *run) {
	all := d.program.actions()
	maps.Copy(all, map[string]func(r *run){
		"fill":      func(*run) { d.fill() },
		"free":      func(*run) { d.free() },
		"read_only": func(*run) { d.fail() },
		"kill":      func(*run) { d.kill(); d.startOnIt() },
		"restart":   func(*run) { d.end(syscall.SIGTERM); d.startOnIt() },
	})
	return all
}

// startOnIt starts the program on the disk as it is. One that can't be written
// may keep it from starting, and then it says why.
func (d *disk) startOnIt() {
	err := d.Start()
	if err == nil {
		return
	}
	said := d.Log.Tail()
	if !d.readOnly && !d.full() {
		d.r.broken("%v\n%s", err, said)
		return
	}
	clear := false
	for _, reason := range []string{"no space left on device", "read-only file system", "file too large"} {
		clear = clear || strings.Contains(said, reason)
	}
	if !clear || strings.Contains(said, "panic") {
		d.r.broken("it does not start on such a disk, and does not say why: %v\n%s", err, said)
	}
	d.mend()
	d.mustStart()
}

func (d *disk) ballast() string { return filepath.Join(filepath.Dir(d.Data), "ballast") }

func (d *disk) full() bool {
	_, err := os.Stat(d.ballast())
	return err == nil
}

// fill leaves no byte free.
func (d *disk) fill() {
	if d.image == "" {
		d.limit(0)
		return
	}
	if d.readOnly {
		return
	}
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return // it is full
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	f.Sync()
}

func (d *disk) free() {
	if d.image == "" {
		d.limit(^uint64(0))
		return
	}
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, fs.ErrNotExist) && !d.readOnly {
		d.r.Errorf("make room: %v", err)
	}
}

// still stops the program between its system calls: what a sync that is under way
// while the file system fails returns is the kernel's affair, and not always right.
func (d *disk) still() {
	process := d.Process()
	if process == nil {
		return
	}
	process.Signal(syscall.SIGSTOP)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); pause(time.Millisecond) {
		running := 0
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", process.Pid))
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			if _, rest, ok := strings.Cut(string(text), ") "); ok && rest[0] != 'T' {
				running++
			}
		}
		if running == 0 {
			return
		}
	}
}

// fail has the file system find an error, so that it turns read-only, as those of
// failing disks do.
func (d *disk) fail() {
	if d.image == "" {
		d.limit(0)
		return
	}
	d.still()
	defer d.resume()
	if err := os.WriteFile(filepath.Join("/sys/fs/ext4", d.device, "trigger_fs_error"), []byte("chaos"), 0); err != nil {
		d.r.Errorf("turn the disk read-only: %v", err)
	}
	d.readOnly = true
}

// limit bounds how large files of the program may become.
func (d *disk) limit(bytes uint64) {
	process := d.Process()
	if process == nil {
		return
	}
	want := syscall.Rlimit{Cur: bytes, Max: ^uint64(0)}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&want)), 0, 0, 0); errno != 0 {
		d.r.Errorf("limit the file size: %v", errno)
	}
}

// repair does what an administrator does. Without it ext4 mounts the disk, but does
// not give back the blocks of a file that was being deleted as it failed.
func (d *disk) repair() {
	text, err := exec.Command("/usr/sbin/e2fsck", "-f", "-y", d.image).CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 1 { // it had something to correct
		err = nil
	}
	if err != nil {
		d.r.Fatalf("e2fsck: %v: %s", err, text)
	}
}

// mend makes the disk right, without the program if it has to.
func (d *disk) mend() {
	if d.readOnly {
		d.kill()
		d.unmount()
		d.repair()
		if err := d.mount(); err != nil {
			d.r.Fatal(err)
		}
		d.readOnly = false
	}
	d.free()
}

func (d *disk) heal(r *run) {
	again := d.readOnly
	d.mend()
	if again {
		d.mustStart()
	}
	d.program.heal(r)
}
