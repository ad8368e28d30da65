package ledger

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"narthex/state"
)

// The log is a directory of files, each a header, a random salt (8 bytes), the
// sum of these, and frames. A frame is one group commit: the records that were made durable
// by one fsync. It is
//
//	magic (4) | length of payload (4) | number (8) | CRC-32C of all but itself (4) | payload
//
// where the sum begins with the salt, so that nothing that is pushed can look
// like a frame;
// little endian; numbers rise by one from frame to frame, also across files.
// The payload is records, each behind its length as an unsigned varint.
//
// A frame is written only after the one before it is durable. So a bad frame
// with no good one behind it is a write that was never acknowledged, and is cut
// off; a bad frame before a good one is damage, and is reported.
const (
	logHeader   = "narthex log 1\n"
	logSalted   = len(logHeader) + 8
	logStart    = logSalted + 4 // where the first frame is, behind the header's sum
	frameMagic  = 0x4d52464e    // "NFRM"
	frameHeader = 20
	maxFrame    = 256 << 20
)

// file is what the log needs of an *os.File; tests put faults behind it.
type file interface {
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

type wal struct {
	dir    string
	create opener

	f      file
	number int    // of the file
	next   uint64 // number of the next frame
	salt   []byte // of the file
	size   int64  // where the next frame goes; all before is durable
	dirty  bool   // something may stand behind size
	buf    []byte
}

// opener opens a file for writing.
type opener func(path string) (file, error)

func openFile(path string) (file, error) { return os.OpenFile(path, os.O_WRONLY, 0) }

func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

func logPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.log", number))
}

// append makes the records durable, all or none. After an error none of them
// is in the log and the next append tries anew.
func (w *wal) append(records [][]byte) error {
	if w.f == nil {
		return errors.New("the log is closed")
	}
	if err := w.repair(); err != nil {
		return err
	}
	b := append(w.buf[:0], make([]byte, frameHeader)...)
	for _, r := range records {
		b = binary.AppendUvarint(b, uint64(len(r)))
		b = append(b, r...)
	}
	if w.buf = b; cap(b) > 8<<20 {
		w.buf = nil // one large frame must not hold memory for ever
	}
	if len(b)-frameHeader > maxFrame {
		return fmt.Errorf("a group of %d bytes is too large for the log", len(b))
	}
	sealFrame(b, w.next, w.salt)
	w.dirty = true
	if _, err := w.f.WriteAt(b, w.size); err != nil {
		return errors.Join(fmt.Errorf("write the log: %w", err), w.repair())
	}
	if err := w.f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync the log: %w", err), w.repair())
	}
	w.dirty = false
	w.size += int64(len(b))
	w.next++
	return nil
}

// repair cuts off what a failed append may have left. A sync that failed says
// nothing about the next one, which finds the pages clean. But all before size was
// synced with success, and what is appended next is written anew.
func (w *wal) repair() error {
	if !w.dirty {
		return nil
	}
	err := w.f.Truncate(w.size)
	if err == nil {
		err = w.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("take back a failed write to the log: %w", err)
	}
	w.dirty = false
	return nil
}

// rotate begins a new file and returns its number. Frames from now on go
// there.
func (w *wal) rotate() (int, error) {
	if err := w.repair(); err != nil {
		return 0, err
	}
	number := w.number + 1
	path := logPath(w.dir, number)
	os.Remove(path) // what an attempt that failed may have left
	f, err := w.create(path)
	if err != nil {
		return 0, fmt.Errorf("begin a log file: %w", err)
	}
	head := append([]byte(logHeader), make([]byte, 8)...)
	salt := head[len(logHeader):]
	rand.Read(salt)
	_, err = f.WriteAt(appendSum(head), 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = state.SyncDir(w.dir)
	}
	if err != nil {
		f.Close()
		os.Remove(path)
		return 0, fmt.Errorf("begin log file %s: %w", path, err)
	}
	if w.f != nil {
		w.f.Close()
	}
	w.f, w.number, w.salt, w.size, w.dirty = f, number, salt, int64(logStart), false
	return number, nil
}

func (w *wal) close() error {
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.repair(), w.f.Close())
	w.f = nil
	return err
}

// sealFrame fills in the header of the frame b.
func sealFrame(b []byte, number uint64, salt []byte) {
	binary.LittleEndian.PutUint32(b, frameMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-frameHeader))
	binary.LittleEndian.PutUint64(b[8:], number)
	binary.LittleEndian.PutUint32(b[16:], frameSum(b, salt))
}

func frameSum(b, salt []byte) uint32 {
	sum := crc32.Update(crc32.Checksum(salt, castagnoli), castagnoli, b[:16])
	return crc32.Update(sum, castagnoli, b[frameHeader:])
}
