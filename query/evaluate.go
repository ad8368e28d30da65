package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/stats"

	"narthex/query/syntax"
)

// maxPoints bounds the steps of a range query: enough for a week by minutes or a
// year by hours.
const maxPoints = 11000

// Insert waits for a slot.
func (s slots) Insert(ctx context.Context, _ string) (int, error) {
	select {
	case s <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// evaluation is what instant and range queries share.
type evaluation struct {
	limit   int
	timeout time.Duration // 0 means the server's
	opts    promql.QueryOpts
}

func evaluationParams(f url.Values) (e evaluation, err error) {
	if e.limit, err = limitParam(f); err != nil {
		return e, err
	}
	if s := f.Get("timeout"); s != "" {
		if e.timeout, err = parseDuration(s); err != nil {
			return e, badParam("timeout", err)
		}
		if e.timeout <= 0 {
			return e, badParam("timeout", errors.New("it must be positive"))
		}
	}
	var lookback time.Duration
	if s := f.Get("lookback_delta"); s != "" {
		if lookback, err = parseDuration(s); err != nil {
			return e, badData(fmt.Errorf("error parsing lookback delta duration: %w", err))
		}
	}
	e.opts = promql.NewPrometheusQueryOpts(f.Get("stats") == "all", lookback)
	return e, nil
}

// instant answers query: an expression at one time.
func (a *API) instant(r *http.Request) (answer, error) {
	e, err := evaluationParams(r.Form)
	if err != nil {
		return answer{}, err
	}
	at, err := timeParam(r.Form, "time", a.opts.Now())
	if err != nil {
		return answer{}, err
	}
	if err := a.check(r.Form.Get("query"), 0); err != nil {
		return answer{}, err
	}
	q, err := a.engine.NewInstantQuery(r.Context(), a.opts.Queryable, e.opts, r.Form.Get("query"), at)
	if err != nil {
		return answer{}, refused(err)
	}
	return e.run(r, q)
}

// queryRange answers query_range: an expression at each step from start to end.
func (a *API) queryRange(r *http.Request) (answer, error) {
	e, err := evaluationParams(r.Form)
	if err != nil {
		return answer{}, err
	}
	start, err := parseTime(r.Form.Get("start"))
	if err != nil {
		return answer{}, badParam("start", err)
	}
	end, err := parseTime(r.Form.Get("end"))
	if err != nil {
		return answer{}, badParam("end", err)
	}
	if end.Before(start) {
		return answer{}, badParam("end", errors.New("end timestamp must not be before start time"))
	}
	step, err := parseDuration(r.Form.Get("step"))
	if err != nil {
		return answer{}, badParam("step", err)
	}
	if step < time.Millisecond { // the engine's resolution
		return answer{}, badParam("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	span := float64(end.Unix()) - float64(start.Unix()) // a duration holds no more than 292 years
	if span/step.Seconds() > maxPoints {
		return answer{}, badData(errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"))
	}
	if err := a.check(r.Form.Get("query"), span); err != nil {
		return answer{}, err
	}
	q, err := a.engine.NewRangeQuery(r.Context(), a.opts.Queryable, e.opts, r.Form.Get("query"), start, end, step)
	if err != nil {
		return answer{}, refused(err)
	}
	return e.run(r, q)
}

// check refuses what the engine would accept and choke on. The span is that of
// the query's own times, in seconds.
func (a *API) check(query string, span float64) error {
	expr, err := a.parser.ParseExpr(query)
	if err == nil {
		err = checkSteps(expr, span)
	}
	if err != nil {
		return badParam("query", err)
	}
	return nil
}

// refused is the error of a query that could not be made: it is wrong, or its
// time ended while it waited for a slot.
func refused(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return badParam("query", err)
}

// run executes q, which the answer closes once it has been written: the result's
// points belong to it.
func (e evaluation) run(r *http.Request, q promql.Query) (answer, error) {
	ctx := r.Context()
	if e.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.timeout)
		defer cancel()
	}
	res := q.Exec(ctx)
	out := answer{close: q.Close}
	if res.Err != nil {
		return out, res.Err
	}
	out.warnings = res.Warnings
	data := &result{value: res.Value}
	if e.limit > 0 && truncate(data, e.limit) {
		out.warnings = out.warnings.Add(errTruncated())
	}
	switch s := r.Form.Get("stats"); s {
	case "":
	case "true", "all":
		data.stats = stats.NewQueryStats(q.Stats())
	default:
		data.stats = stats.NewQueryStats(q.Stats())
		out.warnings = out.warnings.Add(fmt.Errorf("value %q for parameter \"stats\" is deprecated, use \"true\" or \"all\"", s))
	}
	out.data = data
	return out, nil
}

func errTruncated() error { return errors.New("results truncated due to limit") }

// truncate leaves the first limit series and reports whether there were more.
func truncate(r *result, limit int) bool {
	switch v := r.value.(type) {
	case promql.Matrix:
		if len(v) > limit {
			r.value = v[:limit]
			return true
		}
	case promql.Vector:
		if len(v) > limit {
			r.value = v[:limit]
			return true
		}
	}
	return false
}

// formatQuery answers format_query: the expression, laid out.
func (a *API) formatQuery(r *http.Request) (answer, error) {
	text, err := syntax.Format(r.Form.Get("query"))
	if err != nil {
		return answer{}, badParam("query", err)
	}
	return answer{data: text}, nil
}

// parseQuery answers parse_query: the expression as a tree.
func (a *API) parseQuery(r *http.Request) (answer, error) {
	tree, err := syntax.Parse(r.Form.Get("query"))
	if err != nil {
		return answer{}, badParam("query", err)
	}
	return answer{data: tree}, nil
}
