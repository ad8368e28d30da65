package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// logFiles returns the numbers of the log's files in order.
func logFiles(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the log: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".log"); ok {
			n, err := strconv.Atoi(name)
			if err != nil || n <= 0 {
				return nil, fmt.Errorf("%s is not one of the log's files: move it away", filepath.Join(dir, e.Name()))
			}
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// readLog calls fn for each record of the file, in order. next is the number
// that the file's first frame must have (0: any); the one after the last frame
// is returned. What a crash left behind the last whole frame is cut off if the
// file is the last; torn is how many bytes that was. The last frame of the last is
// made durable: a killed process may have written it and not synced it, and a
// sender that tries again is told from now on that it is here.
func readLog(path string, next uint64, last bool, open opener, fn func(record) error) (after uint64, torn int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return next, 0, fmt.Errorf("read the log: %w", err)
	}
	if !bytes.HasPrefix(data, []byte(logHeader)) || len(data) < logStart || !bytes.Equal(appendSum(bytes.Clone(data[:logSalted])), data[:logStart]) {
		if last && len(data) <= logStart { // a crash while the file was begun
			return next, len(data), os.Remove(path)
		}
		return next, 0, fmt.Errorf("%s does not begin as narthex's log files do: it is damaged or of another version", path)
	}
	salt, off, begin := data[len(logHeader):logSalted], logStart, 0
	for off < len(data) {
		payload, number, ok := frameAt(data, salt, off)
		if !ok || next != 0 && number != next {
			good, found := nextFrame(data, salt, off+1)
			if found || !last || ok {
				return next, 0, damage(path, off, good, next)
			}
			return next, len(data) - off, secure(path, open, data[begin:off], begin)
		}
		if err := eachRecord(payload, fn); err != nil {
			return next, 0, fmt.Errorf("%s, frame at byte %d: %w", path, off, err)
		}
		begin, off = off, off+frameHeader+len(payload)
		next = number + 1
	}
	if last {
		err = secure(path, open, data[begin:off], begin)
	}
	return next, 0, err
}

// secure makes durable what another process has written last, and cuts off what
// is behind it. It writes it once more: the kernel takes what it could not write
// back for written, says so once, to whoever syncs next, and a sync after that one
// finds nothing to do.
func secure(path string, open opener, tail []byte, off int) error {
	f, err := open(path)
	if err != nil {
		return fmt.Errorf("open the log as it was left: %w", err)
	}
	err = f.Truncate(int64(off + len(tail)))
	if err == nil {
		_, err = f.WriteAt(tail, int64(off))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("make durable what the log was left with: %w", err)
	}
	return nil
}

func damage(path string, off, good int, next uint64) error {
	where := "the log goes on after it"
	if good > 0 {
		where = fmt.Sprintf("good data follows at byte %d", good)
	}
	return fmt.Errorf("%s is damaged at byte %d (frame %d, %s): acknowledged entries would be lost, so narthex does not start; restore the data directory from a backup, or, to give up what is damaged, move this file and those after it away", path, off, next, where)
}

// frameAt returns the payload and the number of the frame at off, if a whole
// and good one is there.
func frameAt(data, salt []byte, off int) (payload []byte, number uint64, ok bool) {
	b := data[off:]
	if len(b) < frameHeader || binary.LittleEndian.Uint32(b) != frameMagic {
		return nil, 0, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > maxFrame || int(n) > len(b)-frameHeader {
		return nil, 0, false
	}
	b = b[:frameHeader+int(n)]
	if frameSum(b, salt) != binary.LittleEndian.Uint32(b[16:]) {
		return nil, 0, false
	}
	return b[frameHeader:], binary.LittleEndian.Uint64(b[8:]), true
}

// nextFrame returns where the first good frame at or after off begins.
func nextFrame(data, salt []byte, off int) (int, bool) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	for off < len(data) {
		i := bytes.Index(data[off:], magic)
		if i < 0 {
			break
		}
		off += i
		if _, _, ok := frameAt(data, salt, off); ok {
			return off, true
		}
		off++
	}
	return 0, false
}

func eachRecord(payload []byte, fn func(record) error) error {
	d := &decoder{b: payload}
	for len(d.b) > 0 && d.err == nil {
		b := d.raw(d.uint())
		if d.err != nil {
			break
		}
		r, err := parseRecord(b)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return d.err
}
