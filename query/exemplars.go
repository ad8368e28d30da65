package query

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// seriesExemplars are the exemplars of one series.
type seriesExemplars struct {
	Series    labels.Labels `json:"seriesLabels"`
	Exemplars []exemplar    `json:"exemplars"`
}

// exemplar writes its value as a string and its time in seconds.
type exemplar struct {
	Labels labels.Labels `json:"labels"`
	Value  string        `json:"value"`
	Time   json.Number   `json:"timestamp"`
}

// exemplars answers query_exemplars: those of the selectors in an expression.
func (a *API) exemplars(r *http.Request) (answer, error) {
	from, to, err := rangeParams(r.Form)
	if err != nil {
		return answer{}, err
	}
	expr, err := a.parser.ParseExpr(r.Form.Get("query"))
	if err != nil {
		return answer{}, badParam("query", err)
	}
	out := []seriesExemplars{}
	selectors := parser.ExtractSelectors(expr)
	if len(selectors) == 0 || a.opts.ExemplarQueryable == nil {
		return answer{data: out}, nil
	}
	q, err := a.opts.ExemplarQueryable.ExemplarQuerier(r.Context())
	if err != nil {
		return answer{}, err
	}
	found, err := q.Select(from, to, selectors...)
	if err != nil {
		return answer{}, err
	}
	for _, s := range found {
		one := seriesExemplars{Series: s.SeriesLabels, Exemplars: []exemplar{}}
		for _, e := range s.Exemplars {
			one.Exemplars = append(one.Exemplars, exemplar{
				Labels: e.Labels,
				Value:  strconv.FormatFloat(e.Value, 'g', -1, 64),
				Time:   json.Number(strconv.FormatFloat(float64(e.Ts)/1000, 'f', -1, 64)),
			})
		}
		out = append(out, one)
	}
	return answer{data: out}, nil
}
