package openmetrics

import (
	"mime"

	"narthex"
)

// Format is one of the exposition formats.
type Format uint8

// The formats.
const (
	Text        Format = iota + 1 // Prometheus's text format 0.0.4
	OpenMetrics                   // OpenMetrics text 1.0
	Protobuf                      // delimited io.prometheus.client.MetricFamily
)

// ContentType returns the header that a body in the format is sent with.
func (f Format) ContentType() string {
	switch f {
	case OpenMetrics:
		return "application/openmetrics-text; version=1.0.0; charset=utf-8"
	case Protobuf:
		return "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	}
	return "text/plain; version=0.0.4; charset=utf-8"
}

// FormatOf returns the format that a Content-Type header names. No header is
// text 0.0.4, and so is a form's, which curl --data-binary sends unless it is
// told otherwise. An error is of kind [narthex.Invalid] and deserves the
// status 415.
func FormatOf(contentType string) (Format, error) {
	if contentType == "" {
		return Text, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return 0, narthex.Errorf(narthex.Invalid, "content type %q: %w", contentType, err)
	}
	version := params["version"]
	switch media {
	case "application/x-www-form-urlencoded":
		return Text, nil
	case "text/plain":
		// 1.0.0 is 0.0.4 with quoted names, which are read anyway.
		if version == "" || version == "0.0.4" || version == "1.0.0" {
			return Text, nil
		}
	case "application/openmetrics-text":
		if version == "" || version == "1.0.0" || version == "0.0.1" {
			return OpenMetrics, nil
		}
	case "application/vnd.google.protobuf":
		if params["proto"] == "io.prometheus.client.MetricFamily" && params["encoding"] == "delimited" {
			return Protobuf, nil
		}
	}
	return 0, narthex.Errorf(narthex.Invalid, "content type %q is not one that is read here: send text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0, or application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", contentType)
}

// Parse reads an exposition in the format that contentType names (see
// [FormatOf]). It keeps no reference to data; the strings of what it returns
// share one copy of it.
func Parse(contentType string, data []byte, limits Limits) ([]Family, error) {
	f, err := FormatOf(contentType)
	if err != nil {
		return nil, err
	}
	return f.Parse(data, limits)
}

// Parse reads an exposition in format f.
func (f Format) Parse(data []byte, limits Limits) ([]Family, error) {
	switch f {
	case Text:
		return parseText(string(data), limits)
	case OpenMetrics:
		return parseOpenMetrics(string(data), limits)
	case Protobuf:
		return parseProtobuf(string(data), limits)
	}
	return nil, narthex.Errorf(narthex.Invalid, "exposition format %d is not known", f)
}
