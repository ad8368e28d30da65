// Package remotewrite speaks Prometheus's remote write, 1.0 and 2.0, in both
// directions: [Client] is a sink that sends batches to a receiver, and [Decode]
// reads the body of a request that somebody else sent.
//
// Sources: "Prometheus Remote-Write 1.0 specification" and "Prometheus
// Remote-Write 2.0 specification" (2.0-rc.4). The protobuf is read and written
// by hand, because the generated code brings reflection, start-up time and
// megabytes that a Lambda function has no use for.
package remotewrite

// Version is a version of the protocol.
type Version uint8

// The versions. The zero Version is neither: [Options] takes it for "find out".
const (
	V1 Version = 1 // prometheus.WriteRequest
	V2 Version = 2 // io.prometheus.write.v2.Request
)

// String returns the version as people write it.
func (v Version) String() string {
	switch v {
	case V1:
		return "1.0"
	case V2:
		return "2.0"
	}
	return "auto"
}

// ContentType returns the media type of the version's requests.
func (v Version) ContentType() string {
	if v == V2 {
		return ContentTypeV2
	}
	return ContentTypeV1
}

// The media types and the one content encoding: snappy's block format, never
// the framed one.
const (
	ContentTypeV1   = "application/x-protobuf"
	ContentTypeV2   = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	ContentEncoding = "snappy"
)

// The protocol's own headers, and what HeaderVersion says of a request.
const (
	HeaderVersion           = "X-Prometheus-Remote-Write-Version"
	HeaderSamplesWritten    = "X-Prometheus-Remote-Write-Samples-Written"
	HeaderHistogramsWritten = "X-Prometheus-Remote-Write-Histograms-Written"
	HeaderExemplarsWritten  = "X-Prometheus-Remote-Write-Exemplars-Written"

	HeaderVersionV1 = "0.1.0"
	HeaderVersionV2 = "2.0.0"
)

// maxDecoded bounds a request once it is decompressed, as in Prometheus: what
// is larger is refused, and nothing larger is sent.
const maxDecoded = 32 << 20
