package shape_test

import "testing"

// view is the viewer as a Lambda function. It has PromQL's parser, which is most
// of its weight, and never the engine or the storage.
const view = "cmd/bootstrap-view"

const (
	viewStripped = 15 << 20
	viewZipped   = 6 << 20
)

func TestBootstrapViewLinksWhatIsListed(t *testing.T) { linksWhatIsListed(t, view) }

func TestBootstrapViewLinksNothingHeavy(t *testing.T) {
	linksNone(t, view, []string{
		"github.com/aws/aws-sdk-go",
		"github.com/aws/aws-sdk-go-v2",
		"github.com/prometheus/prometheus/config",
		"github.com/prometheus/prometheus/storage/remote",
		"github.com/prometheus/prometheus/tsdb/index",
		"github.com/prometheus/prometheus/tsdb/wlog",
		"go.opentelemetry.io",
		"google.golang.org/grpc",
		"k8s.io",
		module + "/tsdb",
	})
}

func TestBootstrapViewSize(t *testing.T) { keepsTo(t, view, viewStripped, viewZipped) }
