package function_test

import (
	"testing"

	"narthex/function"
)

// A source takes what is below its from, and nothing of a bucket whose name only
// begins like its own.
func TestSourceOfAnotherBucket(t *testing.T) {
	for _, c := range []struct {
		from, address string
		want          bool
	}{
		{"", "s3://logs/x", true},
		{"s3://", "s3://logs/x", true},
		{"s3://logs", "s3://logs/x", true},
		{"s3://logs", "s3://logs-of-others/x", false},
		{"s3://logs", "s3://logs.of.others/x", false},
		{"s3://logs/", "s3://logs-of-others/x", false},
		{"s3://logs/cf", "s3://logs/cf/x", true},
		{"s3://logs/cf", "s3://logs/cf-2/x", true}, // a prefix of keys, as S3 has them
		{"s3://logs/cf/", "s3://logs/cf-2/x", false},
		{"s3://logs/cf/", "s3://logs/../cf/x", false},
		{"cloudwatch:/aws/lambda/", "cloudwatch:/aws/lambda/shop", true},
		{"cloudwatch:/aws/lambda/", "s3://aws/lambda/", false},
	} {
		if got := function.Covers(c.from, c.address); got != c.want {
			t.Errorf("%q below %q: %v", c.address, c.from, got)
		}
	}
}
