package gunzip_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"

	klauspost "github.com/klauspost/compress/gzip"

	"narthex/internal/gunzip"
)

func read(src io.Reader) ([]byte, error) { return readWith(new(gunzip.Reader), src) }

func readWith(z *gunzip.Reader, src io.Reader) ([]byte, error) {
	z.Reset(src)
	return io.ReadAll(z)
}

// contents are of all the kinds that make blocks of other kinds.
func contents(r *rand.Rand) map[string][]byte {
	random := func(n, of int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(of))
		}
		return b
	}
	skewed := make([]byte, 120_000) // codes of all lengths
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	var log bytes.Buffer
	for log.Len() < 400_000 {
		fmt.Fprintf(&log, "2026-01-02\t03:04:%02d\tFRA%d\t%d\tGET\t/v1/users/%d\t%x\t-\t-\t-\t0.%03d\n", r.IntN(60), r.IntN(90), r.IntN(1e6), r.IntN(1e6), r.Uint64(), r.IntN(1000))
	}
	var far bytes.Buffer // matches at all distances
	for block := random(40_000, 256); far.Len() < 350_000; {
		at := r.IntN(len(block) - 300)
		far.Write(block[at : at+3+r.IntN(290)])
		far.WriteByte(byte(r.IntN(256)))
	}
	return map[string][]byte{
		"nothing": nil, "one byte": {7}, "zeroes": make([]byte, 350_000), "random": random(120_000, 256), "two": random(120_000, 2),
		"letters": random(120_000, 64), "skewed": skewed, "log": log.Bytes(), "far": far.Bytes(),
	}
}

// pack compresses with the writer's levels.
func pack(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	z.Name, z.Comment, z.Extra = "a name", "a comment", make([]byte, 300)
	for len(b) > 0 {
		n := min(len(b), 100_000)
		z.Write(b[:n])
		if level > 1 && n%3 == 0 {
			z.Flush()
		}
		b = b[n:]
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var all, every bytes.Buffer
	for name, want := range contents(r) {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.HuffmanOnly} {
			packed := pack(t, want, level)
			got, err := read(bytes.NewReader(packed))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, level %d: %d bytes, want %d: %v", name, level, len(got), len(want), err)
			}
			all.Write(packed)
			every.Write(want)
		}
	}
	// All of them in a row are one content, however it arrives.
	for name, src := range map[string]io.Reader{
		"at once": bytes.NewReader(all.Bytes()), "by half": iotest.HalfReader(bytes.NewReader(all.Bytes())),
		"end with data": iotest.DataErrReader(bytes.NewReader(all.Bytes())),
	} {
		got, err := read(src)
		if err != nil || !bytes.Equal(got, every.Bytes()) {
			t.Errorf("%s: %d bytes, want %d: %v", name, len(got), every.Len(), err)
		}
	}
}

// What Next returns begins with what it returned before, however much of it.
func TestNextKeeps(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	want := contents(r)["log"]
	var z gunzip.Reader
	for range 3 { // it serves again
		z.Reset(bytes.NewReader(pack(t, want, 6)))
		var got []byte
		keep := 0
		for {
			b, err := z.Next(keep)
			if !bytes.Equal(b[:keep], got[len(got)-keep:]) {
				t.Fatalf("the last %d bytes are not kept", keep)
			}
			if err == io.EOF && len(b) == keep {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b[keep:]...)
			keep = min(len(got), []int{0, 1, 500, 40_000, 700_000}[r.IntN(5)])
			keep = min(keep, len(b))
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	}
}

// A stream that is cut off anywhere says so; the bytes before are right.
func TestCutOff(t *testing.T) {
	want := contents(rand.New(rand.NewPCG(3, 3)))["log"][:1500]
	var z gunzip.Reader
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		packed := pack(t, want, level)
		for n := range len(packed) {
			got, err := readWith(&z, bytes.NewReader(packed[:n]))
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(want, got) {
				t.Fatalf("level %d, %d of %d bytes: %v", level, n, len(packed), err)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	good := pack(t, []byte("hello, hello, hello"), 6)
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		if at < 0 {
			at += len(b)
		}
		b[at] ^= to
		return b
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"no magic":        {[]byte("hello, world"), gunzip.ErrHeader},
		"no magic, short": {[]byte("x"), gunzip.ErrHeader},
		"another method":  {changed(2, 1), gunzip.ErrHeader},
		"checksum":        {changed(-5, 1), gunzip.ErrChecksum},
		"length":          {changed(-1, 1), gunzip.ErrChecksum},
		"behind it":       {append(bytes.Clone(good), 0), gunzip.ErrHeader},
		"block kind 3":    {append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, 7), gunzip.ErrCorrupt},
		"header checksum": {headerCRC(0xdead), gunzip.ErrHeader},
		"nothing":         {nil, io.ErrUnexpectedEOF},
		"source":          {nil, errBroken},
	} {
		src := io.Reader(bytes.NewReader(c.in))
		if c.want == errBroken {
			src = io.MultiReader(bytes.NewReader(good[:20]), iotest.ErrReader(errBroken))
		}
		if _, err := read(src); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// headerCRC is an empty member whose header has a checksum.
func headerCRC(sum uint16) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 3}, sum)
	return append(b, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

func TestHeaderChecksum(t *testing.T) {
	compare(t, headerCRC(uint16(crc32.ChecksumIEEE(headerCRC(0)[:10]))))
}

var errBroken = errors.New("broken")

// oracle is what the standard library makes of a stream.
func oracle(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// compare has both read a stream: they agree on what is in it, or on that it is
// damaged.
func compare(t *testing.T, b []byte) {
	t.Helper()
	want, wantErr := oracle(b)
	got, err := read(bytes.NewReader(b))
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%v, the standard library: %v", err, wantErr)
	}
	if err == nil && !bytes.Equal(got, want) {
		t.Fatalf("%d bytes differ from the standard library's %d", len(got), len(want))
	}
	if errors.Is(wantErr, io.ErrUnexpectedEOF) != errors.Is(err, io.ErrUnexpectedEOF) {
		t.Logf("%v, the standard library: %v", err, wantErr)
	}
}

// compareNext reads a stream by blocks, of which it keeps some, from a source that has
// one byte at a time: the content and the error are the same.
func compareNext(t *testing.T, b, want []byte, wantErr error) {
	t.Helper()
	var z gunzip.Reader
	z.Reset(iotest.OneByteReader(bytes.NewReader(b)))
	var got []byte
	for keep := 0; ; {
		block, err := z.Next(keep)
		if !bytes.Equal(block[:keep], got[len(got)-keep:]) {
			t.Fatalf("%d bytes are not kept", keep)
		}
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			if !bytes.Equal(got, want) || err != wantErr {
				t.Fatalf("by blocks %d bytes and %v, at once %d bytes and %v", len(got), err, len(want), wantErr)
			}
			return
		}
		got = append(got, block[keep:]...)
		keep = len(block) * (len(got) % 4) / 3
	}
}

// What unpacks to a thousand times its size takes no more memory than anything else,
// and what unpacks to nothing, again and again, comes to its end.
func TestBombs(t *testing.T) {
	const size = 24 << 20
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	piece := make([]byte, 1<<20)
	for range size / len(piece) {
		w.Write(piece)
	}
	w.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var z gunzip.Reader
	z.Reset(bytes.NewReader(packed.Bytes()))
	n := 0
	for {
		b, err := z.Next(0)
		if n += len(b); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; n != size || grown > 1<<20 {
		t.Errorf("%d bytes of %d, with %d KiB of memory", n, size, grown>>10)
	}
	members := bytes.Repeat(pack(t, nil, 1), 2000)
	if got, err := readWith(&z, bytes.NewReader(members)); len(got) > 0 || err != nil {
		t.Errorf("empty members: %d bytes, %v", len(got), err)
	}
	blocks := bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 50_000) // stored, of no length
	if got, err := readWith(&z, bytes.NewReader(member(append(blocks, 3, 0), nil))); len(got) > 0 || err != nil {
		t.Errorf("empty blocks: %d bytes, %v", len(got), err)
	}
}

// FuzzGunzip reads arbitrary streams, and those that arbitrary blocks make with a
// header and a trailer that fit.
func FuzzGunzip(f *testing.F) {
	for _, c := range contents(rand.New(rand.NewPCG(4, 4))) {
		for _, level := range []int{0, 1, 6, -2} {
			f.Add(pack(f, c[:min(len(c), 2000)], level))
			f.Add(pack(f, c[:min(len(c), 2000)], level)[328:])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		compare(t, b)
		got, err := read(bytes.NewReader(b))
		compareNext(t, b, got, err)
		compareBlocks(t, b)
	})
}

// compareBlocks compares what is made of blocks, with a header and a trailer that fit
// what the standard library makes of them.
func compareBlocks(t *testing.T, b []byte) {
	t.Helper()
	src := bytes.NewReader(b)
	raw, err := io.ReadAll(flate.NewReader(src))
	compare(t, member(b[:len(b)-src.Len()], raw))
	got, ours := read(bytes.NewReader(member(b, raw)))
	if err != nil && ours == nil {
		t.Fatalf("%x: %d bytes; the standard library: %v", b, len(got), err)
	}
	if damaged := (flate.CorruptInputError)(0); errors.As(err, &damaged) && ours != gunzip.ErrCorrupt {
		t.Fatalf("%x: %v; the standard library: %v", b, ours, err)
	}
}

// Arbitrary bits in fixed codes, and dynamic codes some bits of which are changed,
// mean the same, or nothing, to the standard library.
func TestDamagedBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for range 3000 {
		b := make([]byte, 4+r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		b[0] = b[0]&^7 | 3 // the last block, fixed codes
		compareBlocks(t, b)
	}
	for _, c := range []string{"log", "skewed", "far", "zeroes"} {
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(contents(r)[c][:3000])
		w.Close()
		for range 500 {
			b := bytes.Clone(packed.Bytes())
			for range 1 + r.IntN(3) {
				b[r.IntN(min(len(b), 200))] ^= 1 << r.IntN(8)
			}
			compareBlocks(t, b)
		}
	}
}

// member makes a stream of blocks.
func member(blocks, content []byte) []byte {
	b := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, blocks...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(content))
	return binary.LittleEndian.AppendUint32(b, uint32(len(content)))
}

// The floor of counting a log, beside the libraries that there are.
func BenchmarkGunzip(b *testing.B) {
	log := contents(rand.New(rand.NewPCG(5, 5)))["log"]
	packed := pack(b, log, 6)
	var own gunzip.Reader
	std, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		b.Fatal(err)
	}
	other, err := klauspost.NewReader(bytes.NewReader(packed))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 256<<10)
	for _, c := range []struct {
		name string
		read func() error
	}{
		{"narthex", func() error {
			own.Reset(bytes.NewReader(packed))
			for {
				if _, err := own.Next(0); err != nil {
					return err
				}
			}
		}},
		{"klauspost", func() error {
			other.Reset(bytes.NewReader(packed))
			_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{other}, buf)
			return errors.Join(err, io.EOF)
		}},
		{"standard", func() error {
			std.Reset(bytes.NewReader(packed))
			_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{std}, buf)
			return errors.Join(err, io.EOF)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.read(); !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}
