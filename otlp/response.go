package otlp

import (
	"fmt"
	"strconv"

	"narthex"
	"narthex/internal/protowire"
)

// Encoding is how a request is written, and so its answer.
type Encoding uint8

// The encodings.
const (
	Protobuf Encoding = iota
	JSON
)

// ContentType returns the encoding's media type.
func (e Encoding) ContentType() string {
	if e == JSON {
		return "application/json"
	}
	return "application/x-protobuf"
}

// Decode reads an ExportMetricsServiceRequest. The result's strings share the memory
// of one copy of the body. An error is of kind [narthex.Invalid], or
// [narthex.TooLarge] if a limit is passed. In JSON, unknown fields are passed over,
// 64-bit numbers may be strings, enumerations numbers or names.
func (e Encoding) Decode(body []byte, l Limits) (*Metrics, error) {
	if e == JSON {
		return decodeJSON(body, l)
	}
	return decodeProtobuf(body, l)
}

// Response returns an ExportMetricsServiceResponse. With no points rejected and
// no message it says that all is well; with a message alone it is a warning.
func (e Encoding) Response(rejectedPoints int, message string) []byte {
	none := rejectedPoints == 0 && message == ""
	switch {
	case e == JSON && none:
		return []byte("{}")
	case e == JSON:
		b := append([]byte(`{"partialSuccess":{"rejectedDataPoints":"`), strconv.Itoa(rejectedPoints)...)
		return append(appendJSON(append(b, `","errorMessage":`...), message), "}}"...)
	case none:
		return nil
	}
	b := protowire.AppendTag(nil, 1, protowire.Bytes)
	start := len(b)
	if rejectedPoints != 0 {
		b = protowire.AppendUint(b, 1, uint64(rejectedPoints))
	}
	if message != "" {
		b = protowire.AppendString(b, 2, message)
	}
	return protowire.AppendLength(b, start)
}

// Status returns a google.rpc.Status, the body of an error's answer.
func (e Encoding) Status(code int, message string) []byte {
	if e == JSON {
		b := strconv.AppendInt([]byte(`{"code":`), int64(code), 10)
		return append(appendJSON(append(b, `,"message":`...), message), '}')
	}
	return protowire.AppendString(protowire.AppendUint(nil, 1, uint64(code)), 2, message)
}

// appendJSON appends a string as JSON has it.
func appendJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s { // what is not UTF-8 becomes U+FFFD
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

// Hold notes the series' labels as they are now, with those that an identity
// forces. What a sink does to the lists later, such as removing what it rejects,
// doesn't matter to Points then.
func (t *Translation) Hold() {
	t.sampleLabels, t.deltaLabels = labelsOf(t.Samples), labelsOf(t.Deltas)
}

func labelsOf(series []narthex.Series) []narthex.Labels {
	out := make([]narthex.Labels, len(series))
	for i := range series {
		out[i] = series[i].Labels
	}
	return out
}

// Points returns how many points the request had and how many of them were
// rejected: by the translation, and by the sinks that refused the samples and
// the increments given here, of those that [Translation.Hold] has noted.
func (t *Translation) Points(samples, deltas []narthex.Rejection) (all, rejected int) {
	rejected = t.rejectedPoints + hit(t.sampleLabels, t.ofSample, samples) + hit(t.deltaLabels, t.ofDelta, deltas)
	return t.points, min(rejected, t.points)
}

// hit returns how many points rejections are of. A series that has several
// points and fewer rejections loses as many of them. A rejection of a series
// that is not known (a stage before the sink may have renamed it) is one point.
func hit(series []narthex.Labels, of []int32, rejections []narthex.Rejection) int {
	if len(rejections) == 0 {
		return 0
	}
	left, known := make(map[string]int), make(map[string]bool)
	for _, r := range rejections {
		left[r.Series]++
	}
	points := make(map[int32]bool)
	for i := range series {
		text := series[i].String()
		if known[text] = true; left[text] > 0 && of[i] >= 0 {
			left[text]--
			points[of[i]] = true
		}
	}
	others := 0
	for text, n := range left {
		if !known[text] {
			others += n
		}
	}
	return min(len(points)+others, len(series))
}
