package otlp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"narthex"
	"narthex/otlp"
)

// equal compares requests; a list of none is none.
func equal() cmp.Options { return cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateEmpty()} }

// Both encodings of any request are read as pdata reads them.
func TestDecodeAgainstPdata(t *testing.T) {
	for seed := range uint64(100) {
		md := newRandom(seed).metrics()
		want := modelOf(md)
		protobuf, json := bodies(t, md)
		for encoding, body := range map[otlp.Encoding][]byte{otlp.Protobuf: protobuf, otlp.JSON: json} {
			got, err := encoding.Decode(body, otlp.Limits{})
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, body)
			}
			if d := cmp.Diff(want, got, equal()); d != "" {
				t.Fatalf("seed %d, %s (-want +got)\n%s", seed, encoding.ContentType(), d)
			}
		}
	}
}

func FuzzDecodeProtobuf(f *testing.F) {
	for seed := range uint64(20) {
		protobuf, _ := bodies(f, newRandom(seed).metrics())
		f.Add(protobuf)
	}
	f.Add([]byte("\x0a\x00"))
	f.Add([]byte("\x0a\x0a\x0a\x08\x0a\x06\x12\x04\x18\x40\x40\x01")) // a value that a later field takes back
	f.Add([]byte("\x0a\x04\x12\x02\x12\x00\x0a\x0d\x12\x0b\x12\x09\x2a\x07\x0a\x05\x3a\x03\x12\x01\x7a"))
	f.Fuzz(func(t *testing.T, body []byte) { fuzz(t, otlp.Protobuf, body) })
}

func FuzzDecodeJSON(f *testing.F) {
	for seed := range uint64(20) {
		_, json := bodies(f, newRandom(seed).metrics())
		f.Add(json)
	}
	for _, s := range odd() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzz(t, otlp.JSON, body) })
}

// fuzz reads a body. Of what is taken pdata says the same, if it takes it.
func fuzz(t *testing.T, encoding otlp.Encoding, body []byte) {
	got, err := encoding.Decode(body, otlp.Limits{Points: 1000})
	if err != nil {
		if kind := narthex.KindOf(err); kind != narthex.Invalid && kind != narthex.TooLarge {
			t.Fatalf("an error of kind %d: %v", kind, err)
		}
		return
	}
	for _, o := range []otlp.Options{{}, {Strategy: otlp.NoTranslation, ConvertHistogramsToNHCB: true, PromoteScopeMetadata: true, PromoteResourceAttributes: []string{"host.name"}}} {
		if _, err := o.Translate(got, otlp.Arrival{}); err != nil && narthex.KindOf(err) != narthex.TooLarge {
			t.Fatal(err)
		}
	}
	oracle := pmetricotlp.NewExportRequest()
	if encoding == otlp.JSON {
		err = oracle.UnmarshalJSON(body)
	} else {
		err = oracle.UnmarshalProto(body)
	}
	if err != nil {
		return // it also checks fields that are passed over here
	}
	if d := cmp.Diff(modelOf(oracle.Metrics()), got, equal()); d != "" {
		t.Fatalf("(-pdata +got)\n%s", d)
	}
}

// odd are requests in JSON that are written in other ways than pdata does.
func odd() []string {
	return []string{
		`{}`, ` { "resourceMetrics" : [ ] } `, `{"resourceMetrics":null}`, `{"unknown":[{"a":[1,2e3,null,true,"\u00e9\ud83d\ude00"]}]}`,
		`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":1,"asInt":"7"}]}}]}]}]}`,
		`{"resource_metrics":[{"scope_metrics":[{"metrics":[{"name":"a","sum":{"aggregation_temporality":"AGGREGATION_TEMPORALITY_DELTA","is_monotonic":true,"data_points":[{"time_unix_nano":"1","as_int":7,"flags":1}]}}]}]}]}`,
		`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":"NaN"},{"asDouble":"-Infinity"},{"asDouble":"Infinity"},{"asDouble":1.5e3},{"asDouble":"2"}]}}]}]}]}`,
		`{"resourceMetrics":[{"resource":{"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":{"arrayValue":{"values":[{"intValue":"3"},{"bytesValue":"AAE="},{}]}}}]}}}]}}]}`,
	}
}
