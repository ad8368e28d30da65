package ledger

import (
	"strings"

	"narthex"
)

// Keeps calls refuse for each of the series that the ledger keeps itself, or
// that belongs to a histogram or a group which it keeps, with the reason why
// samples with times of their own can't be mixed in. It is for those that write
// such samples past the ledger; what comes through [Ledger.Write] is checked
// there.
func (l *Ledger) Keeps(series []narthex.Series, refuse func(i int, why string)) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.state.accounts) == 0 {
		return
	}
	var key []byte
	var it item
	for i := range series {
		key = series[i].Labels.AppendKey(key[:0])
		if a, ok := l.state.byKey[string(key)]; ok {
			it.as = narthex.AsSample
			if why := a.refuse(&it); why != "" {
				refuse(i, why)
			}
			continue
		}
		if !ofHistogram(series[i].Labels.Get(narthex.MetricName)) {
			continue
		}
		it = item{key: string(key), as: narthex.AsSample}
		if why := l.state.refuseName(&it); why != "" {
			refuse(i, why)
		}
	}
}

// ofHistogram reports whether the name is one that a series of a classic
// histogram has.
func ofHistogram(name string) bool {
	return strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_sum") || strings.HasSuffix(name, "_bucket")
}
