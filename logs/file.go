package logs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"narthex/internal/gunzip"
)

// found is a file as a look at the directory finds it.
type found struct {
	path     string
	dev, ino uint64
	size     int64
	modified time.Time
	head     []byte         // the first bytes of its content, decompressed
	prints   map[int]string // hashes of so much of it
	packed   bool           // it is compressed
	stream   *stream
}

// maxFiles is how many files a source may have.
const maxFiles = 100_000

// Files returns the files that a name stands for: a file, all those of a
// directory and the ones below it, or those that match a pattern. Hidden ones are
// left out.
func Files(name string) ([]string, error) {
	if info, err := os.Stat(name); err == nil {
		if !info.IsDir() {
			return []string{name}, nil
		}
		return below(name)
	} else if !strings.ContainsAny(name, "*?[") {
		return nil, err
	}
	matches, err := filepath.Glob(name)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, path := range matches {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			out = append(out, path)
		}
	}
	return out, nil
}

func below(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(d.Name(), ".") && path != dir; {
		case err != nil && errors.Is(err, fs.ErrNotExist): // it has just gone
			return nil
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.Type().IsRegular() && !hidden:
			if out = append(out, path); len(out) > maxFiles {
				return errors.New("there are more than 100,000 files below it: follow parts of it")
			}
		}
		return nil
	})
	return out, err
}

// look returns what there is to know of a file without reading it.
func look(path string) (*found, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &found{path: path, size: info.Size(), modified: info.ModTime()}
	f.dev, f.ino = identity(info)
	return f, nil
}

// readHead reads what tells the log from others: its first lines, but for those
// that all logs of a kind begin with.
func (f *found) readHead() error {
	r, err := f.open(0)
	if err != nil {
		return err
	}
	defer r.Close()
	b := bufio.NewReaderSize(r, maxHeader)
	for {
		line, err := b.Peek(1)
		if err != nil || line[0] != '#' {
			break
		}
		if _, err := b.ReadSlice('\n'); err != nil {
			break // a header that is not whole yet
		}
	}
	f.head = make([]byte, printSize)
	n, err := io.ReadFull(b, f.head)
	f.head = f.head[:n]
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil // of a compressed file that is cut off, whoever reads all of it is told
	}
	return err
}

// maxHeader bounds a line of a header, in bytes.
const maxHeader = 64 << 10

// begins reports whether the file's content begins as the stream does.
func (f *found) begins(st *stream) bool {
	if len(f.head) < st.PrintSize {
		return false
	}
	print, known := f.prints[st.PrintSize]
	if !known {
		if f.prints == nil {
			f.prints = make(map[int]string)
		}
		print = printOf(f.head[:st.PrintSize])
		f.prints[st.PrintSize] = print
	}
	return print == st.Print
}

// open returns the content from an offset on, decompressed. It sets packed.
func (f *found) open(offset int64) (io.ReadCloser, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(file, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, errors.Join(err, file.Close())
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		f.packed = true
		z := new(gunzip.Reader)
		z.Reset(b)
		return skipped(io.NopCloser(z), offset, file)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		f.packed = true
		var z *zstd.Decoder
		if z, err = zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20)); err == nil {
			return skipped(z.IOReadCloser(), offset, file)
		}
	default:
		f.packed = false
		if _, err = file.Seek(offset, io.SeekStart); err == nil {
			return file, nil
		}
	}
	return nil, errors.Join(err, file.Close())
}

// skipped returns what comes after the first bytes.
func skipped(z io.ReadCloser, offset int64, file *os.File) (io.ReadCloser, error) {
	c := &closers{z, []io.Closer{z, file}}
	if _, err := io.CopyN(io.Discard, z, offset); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

type closers struct {
	io.Reader
	all []io.Closer
}

func (c *closers) Close() (err error) {
	for _, x := range c.all {
		err = errors.Join(err, x.Close())
	}
	return err
}

// exactly reads n bytes; fewer are an error.
type exactly struct {
	r io.Reader
	n int64
}

func (e *exactly) Read(b []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(b[:min(int64(len(b)), e.n)])
	if e.n -= int64(n); err == io.EOF && e.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// lineEnd returns the end of the last whole line in [from, to), from if there
// is none.
func lineEnd(file io.ReaderAt, from, to int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := to; end > from; {
		start := max(from, end-int64(len(buf)))
		chunk := buf[:end-start]
		if _, err := file.ReadAt(chunk, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(chunk, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return from, nil
}

// byAge sorts files, the oldest first.
func byAge(files []*found) {
	slices.SortFunc(files, func(a, b *found) int {
		if c := a.modified.Compare(b.modified); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
}
