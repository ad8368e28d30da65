package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// board is a dashboard.
type board struct {
	file, uid, title, about string
	variables               []variable
	rows                    []row
}

// variable is a label to choose values of.
type variable struct {
	name, label string
	// values is what Grafana asks: label_values(metric, label).
	values string
	single bool // one value rather than any number
}

// row is a heading with the panels below it.
type row struct {
	title  string
	panels []panel
}

// kind is how a panel shows its data.
type kind int

const (
	lines     kind = iota // over time
	bars                  // over time, on top of each other
	number                // the last value, large
	states                // over time, as bands
	rows                  // a table of the last values
	densities             // a heatmap of a classic or native histogram
)

// panel is one picture.
type panel struct {
	title, about string
	kind         kind
	unit         string // Grafana's: reqps, s, percentunit …
	width        uint32 // of 24; default 12
	queries      []query
}

// query is PromQL, and how its series are called.
type query struct{ expr, name string }

func q(expr, name string) []query { return []query{{expr, name}} }

// source is the data source that the reader has chosen.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func (b *board) build() (dashboard.Dashboard, error) {
	d := dashboard.NewDashboardBuilder(b.title).
		Uid(b.uid).Description(b.about).Tags([]string{"narthex"}).
		Time("now-6h", "now").Refresh("1m").Timezone("browser").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).Readonly().
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
	for _, v := range b.variables {
		d.WithVariable(v.build())
	}
	for _, r := range b.rows {
		d.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			d.WithPanel(p.build())
		}
	}
	return d.Build()
}

func (v variable) build() cog.Builder[dashboard.VariableModel] {
	b := dashboard.NewQueryVariableBuilder(v.name).Label(v.label).
		Query(dashboard.StringOrMap{String: cog.ToPtr(v.values)}).Datasource(source()).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
	if v.single {
		return b
	}
	return b.Multi(true).IncludeAll(true).AllValue(".*")
}

// targets are the panel's queries in Grafana's words.
func (p *panel) targets() []cog.Builder[variants.Dataquery] {
	var out []cog.Builder[variants.Dataquery]
	for i, q := range p.queries {
		t := prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.name).
			Datasource(source()).RefId(string(rune('A' + i))).EditorMode(prometheus.QueryEditorModeCode)
		switch p.kind {
		case number, rows:
			t.Instant()
		default:
			t.Range()
		}
		switch p.kind {
		case rows:
			t.Format(prometheus.PromQueryFormatTable)
		case densities:
			t.Format(prometheus.PromQueryFormatHeatmap)
		}
		out = append(out, t)
	}
	return out
}

func (p *panel) build() cog.Builder[dashboard.Panel] {
	width := p.width
	if width == 0 {
		width = 12
	}
	switch p.kind {
	case number:
		return stat.NewPanelBuilder().Title(p.title).Description(p.about).Span(width).Height(4).Datasource(source()).
			Targets(p.targets()).Unit(p.unit).
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
	case states:
		return statetimeline.NewPanelBuilder().Title(p.title).Description(p.about).Span(width).Height(8).Datasource(source()).
			Targets(p.targets()).Unit(p.unit).Mappings(upAndDown()).Min(0).Max(1)
	case rows:
		return table.NewPanelBuilder().Title(p.title).Description(p.about).Span(width).Height(8).Datasource(source()).
			Targets(p.targets()).Unit(p.unit).
			WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
			WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"excludeByName": map[string]bool{"Time": true}}})
	case densities:
		return heatmap.NewPanelBuilder().Title(p.title).Description(p.about).Span(width).Height(8).Datasource(source()).
			Targets(p.targets()).YAxis(heatmap.NewYAxisConfigBuilder().Unit(p.unit))
	}
	b := timeseries.NewPanelBuilder().Title(p.title).Description(p.about).Span(width).Height(8).Datasource(source()).
		Targets(p.targets()).Unit(p.unit).Min(0).ShowPoints(common.VisibilityModeAuto).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.kind == bars {
		b.DrawStyle(common.GraphDrawStyleBars).FillOpacity(60).
			Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	return b
}

// upAndDown are the words and colours for 1 and 0.
func upAndDown() []dashboard.ValueMapping {
	value := func(text, color string) dashboard.ValueMappingResult {
		return dashboard.ValueMappingResult{Text: cog.ToPtr(text), Color: cog.ToPtr(color)}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
		Type: "value", Options: map[string]dashboard.ValueMappingResult{"1": value("up", "green"), "0": value("down", "red")},
	}}}
}
