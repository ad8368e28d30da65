package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"narthex"
	"narthex/remotewrite"
)

// version2 finds out whether 2.0 is spoken. Some receivers answer 2xx to it and
// store nothing; the header of what was written tells.
func (s *session) version2() question {
	var a answer
	return question{
		ask: func(ctx context.Context) (err error) {
			a, err = s.write(ctx, v2, s.one("version2", s.now, 1))
			s.speaks[v2] = a.taken() && a.written[remotewrite.HeaderSamplesWritten] == "1"
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			f := Finding{Capability: RemoteWrite2, Found: no, Evidence: "it was answered " + a.said()}
			header := a.written[remotewrite.HeaderSamplesWritten]
			switch {
			case s.speaks[v2]:
				f.Found, f.Evidence = yes, f.Evidence+" with the header that 1 sample was written"
			case a.taken() && header == "":
				f.Evidence += " without the header of what was written"
			case a.taken():
				f.Evidence += " with the header that " + header + " were written"
			}
			if !a.taken() || s.o.QueryURL == "" {
				return []Finding{f}, nil
			}
			got, err := s.read(ctx, "version2")
			if len(got) == 0 {
				f.Found, s.speaks[v2] = no, false
				f.Evidence += ", and nothing is stored"
			} else {
				f.Evidence += ", and it is stored"
			}
			return []Finding{f}, err
		},
	}
}

// partial finds what a refused sample does to the others of its request.
func (s *session) partial() question {
	answers := make(map[remotewrite.Version]answer)
	ofV1, ofV2 := s.bad(v1, answers), s.bad(v2, answers)
	return question{
		ask: func(ctx context.Context) error {
			if err := ofV1.ask(ctx); err != nil || !s.speaks[v2] {
				return err
			}
			return ofV2.ask(ctx)
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			found, err := ofV1.tell(ctx)
			if err != nil || answers[v2].code == 0 {
				return found, err
			}
			more, err := ofV2.tell(ctx)
			return append(found, more...), err
		},
	}
}

func (s *session) bad(v remotewrite.Version, answers map[remotewrite.Version]answer) question {
	one := func(n string, value float64) narthex.Series {
		return s.one("partial", s.now, value, "n", n, "version", v.String())
	}
	kept := 0 // of the two good ones, as far as the answers tell
	return question{
		ask: func(ctx context.Context) error {
			if _, err := s.write(ctx, v1, one("2", 1)); err != nil {
				return err
			}
			a, err := s.write(ctx, v, one("1", 1), one("2", 9), one("3", 1))
			if answers[v] = a; err != nil || a.taken() || s.o.QueryURL != "" {
				return err
			}
			// What is there refuses another value at its time.
			for _, n := range []string{"1", "3"} {
				a, err := s.write(ctx, v1, one(n, 7))
				if err != nil {
					return err
				}
				if !a.taken() {
					kept++
				}
			}
			return nil
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			a := answers[v]
			f := Finding{Capability: Partial1, Evidence: "a good one, another value at the time of a stored one, a good one: answered " + a.said()}
			if v == v2 {
				f.Capability = Partial2
				f.Evidence += " and that " + orNothing(a.written[remotewrite.HeaderSamplesWritten]) + " were written"
			}
			if s.o.QueryURL != "" {
				got, err := s.read(ctx, "partial")
				if err != nil {
					return nil, err
				}
				kept = 0
				for _, x := range got {
					if x.labels["version"] == v.String() && x.labels["n"] != "2" && len(x.samples) > 0 {
						kept++
					}
				}
			}
			switch {
			case a.taken():
				f.Found = "nothing was refused"
			case kept == 2:
				f.Found = "the good ones are stored"
			case kept == 0:
				f.Found = "nothing is stored"
			default:
				f.Found = "some of the good ones are stored"
			}
			return []Finding{f}, nil
		},
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing said"
	}
	return s
}

// native finds out whether native histograms are stored.
func (s *session) native() question {
	h := &narthex.Histogram{Count: 2, Sum: 3, ZeroThreshold: 1e-128, Positive: narthex.Buckets{Spans: []narthex.Span{{Length: 2}}, Counts: []float64{1, 1}}}
	var a answer
	return question{
		ask: func(ctx context.Context) (err error) {
			x := s.series("native", []narthex.Sample{{Time: s.now, Histogram: h}})
			x.Type = narthex.TypeHistogram
			a, err = s.write(ctx, v1, x)
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			return s.stored(ctx, NativeHisto, "native", "one was answered "+a.said(), a, func(got []stored) (string, bool) {
				if len(got) > 0 && got[0].histograms > 0 {
					return "and read back", true
				}
				return "and is not there", false
			})
		},
	}
}

// stored tells a finding of something that was written: whether it was taken,
// and, as far as that can be known, is there.
func (s *session) stored(ctx context.Context, capability, name, evidence string, a answer, there func([]stored) (string, bool)) ([]Finding, error) {
	f := Finding{Capability: capability, Found: no, Evidence: evidence}
	if a.taken() {
		if f.Found = "taken"; s.o.QueryURL != "" {
			got, err := s.read(ctx, name)
			if err != nil {
				return nil, err
			}
			what, ok := there(got)
			f.Evidence += ", " + what
			if f.Found = yes; !ok {
				f.Found = "taken, and not stored"
			}
		}
	}
	return []Finding{f}, nil
}

// names finds out whether names outside of the legacy set are taken.
func (s *session) names() question {
	const metric, label = "narthex_verify.utf-8", "the.label"
	var a answer
	return question{
		ask: func(ctx context.Context) (err error) {
			a, err = s.write(ctx, v1, s.one(metric, s.now, 1, label, "x"))
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			return s.stored(ctx, UTF8Names, metric, fmt.Sprintf("the metric %q with the label %q was answered %s", metric, label, a.said()), a, func(got []stored) (string, bool) {
				if len(got) == 0 {
					return "and is not there", false
				}
				if got[0].labels["__name__"] != metric || got[0].labels[label] != "x" {
					return "and came back under other names", false
				}
				return "and read back", true
			})
		},
	}
}

// exemplars finds out whether exemplars are kept.
func (s *session) exemplars() question {
	x := s.one("exemplar_total", s.now, 1)
	x.Type = narthex.TypeCounter
	x.Exemplars = []narthex.Exemplar{{Labels: narthex.Labels{{Name: "trace_id", Value: "verify"}}, Time: s.now, Value: 1}}
	var a answer
	return question{
		ask: func(ctx context.Context) (err error) {
			v := v1
			if s.speaks[v2] {
				v = v2
			}
			a, err = s.write(ctx, v, x)
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			f := Finding{Capability: Exemplars, Found: no, Evidence: "one was answered " + a.said()}
			if n, said := a.written[remotewrite.HeaderExemplarsWritten]; said {
				f.Evidence += " and that " + n + " were written"
				if a.taken() && n == "1" {
					f.Found = yes
				}
				return []Finding{f}, nil
			}
			if f.Found = unknown; !a.taken() || s.o.QueryURL == "" {
				return []Finding{f}, nil
			}
			var series []struct{ Exemplars []json.RawMessage }
			err := s.ask(ctx, "/api/v1/query_exemplars", url.Values{
				"query": {fmt.Sprintf("%sexemplar_total{run=%q}", prefix, s.o.Run)},
				"start": {strconv.FormatInt(s.now/1000-60, 10)}, "end": {strconv.FormatInt(s.now/1000+60, 10)},
			}, &series)
			switch {
			case err != nil:
				f.Evidence += "; exemplars can't be queried"
			case len(series) > 0:
				f.Found, f.Evidence = yes, f.Evidence+", and read back"
			default:
				f.Found, f.Evidence = "taken, and not stored", f.Evidence+", and is not there"
			}
			return []Finding{f}, nil
		},
	}
}

// starts finds out what is made of the time at which a counter began.
func (s *session) starts() question {
	var a answer
	return question{
		ask: func(ctx context.Context) (err error) {
			if s.speaks[v2] {
				x := s.series("start_total", []narthex.Sample{{Time: s.now, Start: s.now - 30_000, Value: 5}})
				x.Type = narthex.TypeCounter
				a, err = s.write(ctx, v2, x)
			}
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			f := Finding{Capability: StartTimes, Found: no, Evidence: "only remote write 2.0 has them"}
			switch {
			case a.code == 0:
				return []Finding{f}, nil
			case !a.taken():
				f.Evidence = "a sample with one was answered " + a.said()
				return []Finding{f}, nil
			case s.o.QueryURL == "":
				f.Found, f.Evidence = unknown, "a sample with one was taken; what is made of it only a query tells"
				return []Finding{f}, nil
			}
			got, err := s.read(ctx, "start_total")
			if err != nil {
				return nil, err
			}
			_, rises, err := s.scalar(ctx, fmt.Sprintf("increase(%sstart_total{run=%q}[5m])", prefix, s.o.Run), s.now)
			f.Evidence = "a first sample of 5 that began 30 s before it"
			switch {
			case len(got) > 0 && len(got[0].samples) > 1:
				f.Found, f.Evidence = "a zero is written", f.Evidence+" has a zero at its start"
			case rises:
				f.Found, f.Evidence = yes, f.Evidence+" counts in increase()"
			default:
				f.Found, f.Evidence = "taken, without effect", f.Evidence+" is a sample like any other to increase()"
			}
			return []Finding{f}, err
		},
	}
}
