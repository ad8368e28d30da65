package emulator

import (
	"bufio"
	"io"
	"sync"
)

// lineLog writes whole lines, from several goroutines.
type lineLog struct {
	mu sync.Mutex
	w  io.Writer // nil drops them
}

func (l *lineLog) line(text string) {
	if l.w == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, text+"\n") // a log has nobody to tell
}

// maxLine is how long a line of a log may be, in bytes; CloudWatch Logs takes
// 1 MB.
const maxLine = 1 << 20

// eachLine reads to the end and calls do with each line, without its end. Lines
// that are too long come in pieces.
func eachLine(r io.Reader, do func(line string)) {
	in := bufio.NewReaderSize(r, 4096)
	var long []byte
	for {
		piece, err := in.ReadSlice('\n')
		long = append(long, piece...)
		if err == bufio.ErrBufferFull && len(long) < maxLine {
			continue
		}
		if n := len(long); n > 0 {
			if long[n-1] == '\n' {
				n--
			}
			do(string(long[:n]))
			long = long[:0]
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}
