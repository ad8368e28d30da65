package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
)

type valueKind uint8

const (
	valueNone valueKind = iota
	valueString
	valueBool
	valueInt
	valueDouble
	valueList
	valueMap
	valueBytes
)

// value is an AnyValue.
type value struct {
	kind valueKind
	s    string  // of a string, and of bytes
	n    uint64  // of a bool and an int, its bits
	f    float64 // of a double
	keys []string
	list []value
}

// text returns the value as Prometheus's translation makes a label of it.
func (v *value) text() string {
	switch v.kind {
	case valueString:
		return v.s
	case valueBool:
		return strconv.FormatBool(v.n != 0)
	case valueInt:
		return strconv.FormatInt(int64(v.n), 10)
	case valueDouble:
		return doubleText(v.f)
	case valueBytes:
		return base64.StdEncoding.EncodeToString([]byte(v.s))
	case valueList, valueMap:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if e.Encode(v.raw()) != nil { // a NaN in it
			return ""
		}
		return string(bytes.TrimRight(b.Bytes(), "\n"))
	}
	return ""
}

// raw returns the value for the JSON encoder. It is only for what is nested,
// which is rare.
func (v *value) raw() any {
	switch v.kind {
	case valueString:
		return v.s
	case valueBool:
		return v.n != 0
	case valueInt:
		return int64(v.n)
	case valueDouble:
		return v.f
	case valueBytes:
		if v.s == "" {
			return nil // as pdata has it
		}
		return []byte(v.s)
	case valueList:
		out := make([]any, len(v.list))
		for i := range v.list {
			out[i] = v.list[i].raw()
		}
		return out
	case valueMap:
		out := make(map[string]any, len(v.list))
		for i := range v.list {
			out[v.keys[i]] = v.list[i].raw()
		}
		return out
	}
	return nil
}

// doubleText writes a number as JavaScript does.
func doubleText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	abs := math.Abs(f)
	if abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	b := strconv.AppendFloat(nil, f, 'e', -1, 64)
	if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09 is e-9
		b = append(b[:n-2], b[n-1])
	}
	return string(b)
}
