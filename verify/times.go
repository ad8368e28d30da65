package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"narthex"
	"narthex/internal/message"
)

// ages are tried in this order until one is refused; what lies between is then
// halved.
func ages() []time.Duration {
	return []time.Duration{2 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour}
}

// search finds the longest age that try takes, up to most, to a sixtieth of it.
// refused is 0 if none was refused.
func search(most time.Duration, try func(time.Duration) (bool, error)) (taken, refused time.Duration, err error) {
	for _, age := range ages() {
		if age > most {
			break
		}
		ok, err := try(age)
		if err != nil {
			return 0, 0, err
		}
		if !ok {
			refused = age
			break
		}
		taken = age
	}
	for refused > 0 && refused-taken > max(time.Second, refused/60) {
		mid := (taken + refused) / 2
		if mid > time.Minute {
			mid = mid.Round(time.Second)
		}
		ok, err := try(mid)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			taken = mid
		} else {
			refused = mid
		}
	}
	return taken, refused, nil
}

// fresh returns a time just past, for samples that are to be the newest.
func (s *session) fresh() int64 { return max(s.now, s.o.Now().Add(-time.Second).UnixMilli()) }

// settle makes an answer to a question of time yes or no.
func (s *session) settle(a answer) (bool, error) {
	switch {
	case a.taken():
		return true, nil
	case a.refuses():
		if s.old == "" {
			s.old = a.said()
		}
		return false, nil
	}
	return false, s.gone(a)
}

// order finds the out-of-order window: a sample, and then an older one of the
// same series.
func (s *session) order() question {
	var taken, refused time.Duration
	tried := make(map[string]int64) // the older sample's time, by the label age
	return question{
		ask: func(ctx context.Context) (err error) {
			taken, refused, err = search(s.o.MaxAge, func(age time.Duration) (bool, error) {
				t := s.fresh()
				if a, err := s.write(ctx, v1, s.one("order", t, 2, "age", age.String())); err != nil || !a.taken() {
					if err == nil {
						err = s.gone(a)
					}
					return false, err
				}
				a, err := s.write(ctx, v1, s.one("order", t-age.Milliseconds(), 1, "age", age.String()))
				if err != nil {
					return false, err
				}
				if a.taken() {
					tried[age.String()] = t - age.Milliseconds()
				}
				return s.settle(a)
			})
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			lost, err := s.lost(ctx, "order", tried)
			if err != nil {
				return nil, err
			}
			f := Finding{Capability: OutOfOrder, Found: no, Evidence: fmt.Sprintf("a sample %s older than the series' newest was refused", message.Duration(refused))}
			switch {
			case lost != "":
				f.Found, f.Evidence = "accepted, and not stored", "a sample that is older by "+lost+" was answered 2xx and can't be read back"
			case refused == 0:
				f.Found = "at least " + message.Duration(taken)
				f.Evidence = "samples up to " + message.Duration(taken) + " older than the series' newest were taken" + s.readBack()
			case taken > 0:
				f.Found = "about " + message.Duration(taken)
				f.Evidence = fmt.Sprintf("%s older than the newest was taken%s, %s older was refused", message.Duration(taken), s.readBack(), message.Duration(refused))
			}
			if lost == "" {
				s.limits[OutOfOrder] = taken
			}
			return []Finding{f}, nil
		},
	}
}

// readBack ends a sentence on what was taken.
func (s *session) readBack() string {
	if s.o.QueryURL == "" {
		return " (by the answers alone)"
	}
	return " and read back"
}

// oldest finds how old the first sample of a series may be.
func (s *session) oldest() question {
	var taken, refused time.Duration
	tried := make(map[string]int64)
	return question{
		ask: func(ctx context.Context) (err error) {
			taken, refused, err = search(s.o.MaxAge, func(age time.Duration) (bool, error) {
				t := s.fresh() - age.Milliseconds()
				a, err := s.write(ctx, v1, s.one("oldest", t, 1, "age", age.String()))
				if err != nil {
					return false, err
				}
				if a.taken() {
					tried[age.String()] = t
				}
				return s.settle(a)
			})
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			lost, err := s.lost(ctx, "oldest", tried)
			if err != nil {
				return nil, err
			}
			f := Finding{Capability: OldestSample}
			switch {
			case lost != "":
				f.Found, f.Evidence = "accepted, and not stored", "a sample of "+lost+" ago was answered 2xx and can't be read back"
			case refused == 0:
				f.Found, f.Evidence = "at least "+message.Duration(taken), "samples up to "+message.Duration(taken)+" old were taken"+s.readBack()
			default:
				f.Found, f.Evidence = "about "+message.Duration(taken), fmt.Sprintf("one of %s ago was taken%s, one of %s ago was refused", message.Duration(taken), s.readBack(), message.Duration(refused))
			}
			if lost == "" {
				s.limits[OldestSample] = taken
			}
			return []Finding{f}, nil
		},
	}
}

// lost returns the shortest age of which a sample was taken and can't be read
// back, "" if there is none.
func (s *session) lost(ctx context.Context, name string, tried map[string]int64) (string, error) {
	if s.o.QueryURL == "" {
		return "", nil
	}
	got, err := s.read(ctx, name)
	if err != nil {
		return "", err
	}
	there := make(map[string]bool)
	for _, x := range got {
		for _, v := range x.samples {
			if v.Time == tried[x.labels["age"]] {
				there[x.labels["age"]] = true
			}
		}
	}
	var shortest time.Duration
	for age := range tried {
		if d, err := time.ParseDuration(age); err == nil && !there[age] && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	if shortest == 0 {
		return "", nil
	}
	return message.Duration(shortest), nil
}

// again finds what becomes of a sample that is sent again, and of another value
// at its time.
func (s *session) again() question {
	t := s.now
	var same, older, other answer
	return question{
		ask: func(ctx context.Context) (err error) {
			for _, w := range []struct {
				at   int64
				v    float64
				kind string
				keep *answer
			}{
				{t, 1, "same", new(answer)}, {t, 1, "same", &same},
				{t - 2000, 1, "older", new(answer)}, {t, 1, "older", new(answer)}, {t - 2000, 1, "older", &older},
				{t, 1, "other", new(answer)}, {t, 2, "other", &other},
			} {
				if *w.keep, err = s.write(ctx, v1, s.one("again", w.at, w.v, "kind", w.kind)); err != nil {
					return err
				}
			}
			if !other.taken() {
				s.duplicate = other.said()
			}
			return nil
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			values, err := s.values(ctx, "again", "kind")
			if err != nil {
				return nil, err
			}
			verdict := func(a answer, kind string, once int) string {
				switch n := len(values[kind]); {
				case !a.taken():
					return "refused"
				case s.o.QueryURL == "":
					return "taken"
				case n > once:
					return "taken, stored twice"
				}
				return "taken, stored once"
			}
			f := Finding{Capability: SameAgain, Found: verdict(same, "same", 1)}
			f.Evidence = fmt.Sprintf("of the newest sample %s (%s), of an older one %s (%s)", f.Found, same.said(), verdict(older, "older", 2), older.said())
			g := Finding{Capability: OtherValue, Found: "refused", Evidence: "after 1 a 2 at the same time was answered " + other.said()}
			if other.taken() {
				g.Found = "taken"
				if s.o.QueryURL != "" {
					g.Found = "taken, what is stored: " + list(values["other"])
				}
			}
			return []Finding{f, g}, nil
		},
	}
}

// values returns the values that are stored of each series, by one of its
// labels; nothing if they can't be read.
func (s *session) values(ctx context.Context, name, by string) (map[string][]float64, error) {
	if s.o.QueryURL == "" {
		return nil, nil
	}
	got, err := s.read(ctx, name)
	out := make(map[string][]float64)
	for _, x := range got {
		for _, v := range x.samples {
			out[x.labels[by]] = append(out[x.labels[by]], v.Value)
		}
	}
	return out, err
}

func list(values []float64) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, fmt.Sprint(v))
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, " and ")
}

// sorts finds what becomes of samples that are not in order within a request.
func (s *session) sorts() question {
	var a answer
	return question{
		ask: func(ctx context.Context) (err error) {
			a, err = s.write(ctx, v1, s.series("disorder", []narthex.Sample{{Time: s.now - 2000, Value: 1}, {Time: s.now, Value: 3}, {Time: s.now - 1000, Value: 2}}))
			return err
		},
		tell: func(ctx context.Context) ([]Finding, error) {
			f := Finding{Capability: SortsRequests, Found: "refused", Evidence: "three samples, the middle one last, were answered " + a.said()}
			if a.taken() {
				f.Found = unknown
				if s.o.QueryURL != "" {
					values, err := s.values(ctx, "disorder", "run")
					if err != nil {
						return nil, err
					}
					n := len(values[s.o.Run])
					f.Evidence += fmt.Sprintf(", and %d of 3 are stored", n)
					if f.Found = yes; n < 3 {
						f.Found = "lost without a word"
					}
				}
			}
			return []Finding{f}, nil
		},
	}
}

// future finds how far ahead of now a sample may be.
func (s *session) future() question {
	var taken, refused time.Duration
	return question{
		ask: func(ctx context.Context) (err error) {
			taken, refused, err = search(2*time.Hour, func(ahead time.Duration) (bool, error) {
				a, err := s.write(ctx, v1, s.one("future", s.o.Now().Add(ahead).UnixMilli(), 1, "ahead", ahead.String()))
				if err != nil {
					return false, err
				}
				return s.settle(a)
			})
			return err
		},
		tell: func(context.Context) ([]Finding, error) {
			if refused == 0 {
				return []Finding{{FutureSamples, "at least " + message.Duration(taken), "one of " + message.Duration(taken) + " ahead was taken"}}, nil
			}
			return []Finding{{FutureSamples, "about " + message.Duration(taken), fmt.Sprintf("one of %s ahead was taken, one of %s was refused", message.Duration(taken), message.Duration(refused))}}, nil
		},
	}
}

// words are what the backend says when it refuses.
func (s *session) words() (out []Finding) {
	if s.duplicate != "" {
		out = append(out, Finding{SaysDuplicate, message.Clip(s.duplicate, 200), "it refused another value at the same time"})
	}
	if s.old != "" {
		out = append(out, Finding{SaysOutOfOrder, message.Clip(s.old, 200), "it refused an older sample"})
	}
	return out
}
