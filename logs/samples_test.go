package logs_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"narthex"
	"narthex/accesslog"
	"narthex/logs"
	"narthex/state"
)

// TestSamples reads published messages of subscriptions, if there is a folder of them
// (NARTHEX_LOG_SAMPLES): each event is accounted for.
func TestSamples(t *testing.T) {
	dir := os.Getenv("NARTHEX_LOG_SAMPLES")
	if dir == "" {
		t.Skip("NARTHEX_LOG_SAMPLES names no folder with logs")
	}
	type outcome struct{ lines, refused int64 }
	for name, want := range map[string]outcome{
		"cw_logs_control_and_bad_records.json":    {0, 1},
		"cw_logs_mixed.json":                      {3, 0},
		"cw_logs_with_only_control_messages.json": {0, 0},
		"cw_logs_with_only_data_messages.json":    {3, 0},
		"direct_put.json":                         {0, 3}, // no messages of subscriptions
		"direct_put_with_non_json_message.json":   {0, 1},
	} {
		text, err := os.ReadFile(filepath.Join(dir, "cwlogs", name))
		if err != nil {
			t.Fatal(err)
		}
		var delivery struct{ Records []struct{ Data string } }
		if err := json.Unmarshal(text, &delivery); err != nil {
			t.Fatal(err)
		}
		s := source(t, newLedger(), new(state.Memory))
		s2 := source(t, newLedger(), new(state.Memory), func(o *logs.Options) { o.Log = accesslog.Options{Format: "common"} })
		var got outcome
		for _, r := range delivery.Records {
			data, err := base64.StdEncoding.DecodeString(r.Data)
			if err != nil {
				got.refused++
				continue
			}
			receipt, err := s.CloudWatch(t.Context(), data, time.Time{})
			if narthex.IsRejected(err) && receipt.Report.Lines == 0 {
				if receipt, err = s2.CloudWatch(t.Context(), data, time.Time{}); err != nil {
					got.refused++
				}
			}
			got.lines += receipt.Report.Lines
			if receipt.Report.Lines != receipt.Report.Counted+receipt.Report.Rejected {
				t.Errorf("%s: %+v", name, receipt.Report)
			}
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
