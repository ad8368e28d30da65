package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"narthex"
	"narthex/ledger"
)

// A spill holds increments on the disk until all logs are read, so that the time of
// one block after another can be written whatever the order of the logs. It has a
// file for the time of each block.
type spill struct {
	dir   string
	sizes map[int64]int64 // by the number of the file: how much of it counts
	ends  map[int64]int64 // the same, with what may be taken back
	now   time.Time
}

// spillLength is the time of a file, that of a block, in ms.
const spillLength = 2 * int64(time.Hour/time.Millisecond)

const minute = int64(time.Minute / time.Millisecond)

func newSpill(dir string, now time.Time) (*spill, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &spill{dir: dir, sizes: make(map[int64]int64), ends: make(map[int64]int64), now: now}, nil
}

// add takes increments whose samples have the times of their minutes. They count
// when they are kept.
func (s *spill) add(in []narthex.Series) error {
	byFile := make(map[int64][]narthex.Series)
	for _, x := range in {
		for i := range x.Samples { // nobody's clock writes ahead of now
			x.Samples[i].Time = min(x.Samples[i].Time, s.now.UnixMilli())
		}
		for first := 0; first < len(x.Samples); {
			n, last := x.Samples[first].Time/spillLength, first+1
			for last < len(x.Samples) && x.Samples[last].Time/spillLength == n {
				last++
			}
			part := x
			part.Samples = slices.Clone(x.Samples[first:last])
			byFile[n] = append(byFile[n], part)
			first = last
		}
	}
	for n, series := range byFile {
		if err := s.append(n, series); err != nil {
			return fmt.Errorf("put counts aside in %s: %w", s.dir, err)
		}
	}
	return nil
}

func (s *spill) append(n int64, series []narthex.Series) error {
	e, err := ledger.NewEntry(&narthex.Batch{Received: s.now, Lateness: time.Minute, Series: series})
	if err != nil {
		return err
	}
	data := s2.Encode(nil, e.Encode())
	f, err := os.OpenFile(s.file(n), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	record := append(binary.LittleEndian.AppendUint32(nil, uint32(len(data))), data...)
	_, err = f.WriteAt(record, s.ends[n])
	s.ends[n] += int64(len(record))
	return errors.Join(err, f.Close())
}

func (s *spill) file(n int64) string { return filepath.Join(s.dir, fmt.Sprint(n)) }

// keep has what was added count; drop takes it back.
func (s *spill) keep() { maps.Copy(s.sizes, s.ends) }
func (s *spill) drop() { clear(s.ends); maps.Copy(s.ends, s.sizes) }

// files returns the numbers of the files with something in them, in order.
func (s *spill) files() []int64 {
	var list []int64
	for n, size := range s.sizes {
		if size > 0 {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// each calls do with each entry of a file.
func (s *spill) each(n int64, do func(*ledger.Entry) error) error {
	f, err := os.Open(s.file(n))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(io.LimitReader(f, s.sizes[n]), 1<<20)
	for {
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		data := make([]byte, binary.LittleEndian.Uint32(size[:]))
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		text, err := s2.Decode(nil, data)
		if err != nil {
			return err
		}
		e, err := ledger.DecodeEntry(text)
		if err != nil {
			return err
		}
		if err := do(e); err != nil {
			return err
		}
	}
}
