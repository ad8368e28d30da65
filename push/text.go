package push

import (
	"narthex"
	"narthex/internal/message"
)

// maxShown is how many labels of a series a receipt shows, if they are long.
const maxShown = 5

// seriesText returns the labels as a receipt has them. They may be of any
// length, and many series may share what makes them long, so the whole text is
// made only of labels that are short.
func seriesText(ls narthex.Labels) string {
	if textSize(ls) > 2*maxText {
		short := make(narthex.Labels, min(len(ls), maxShown))
		for i := range short {
			short[i] = narthex.Label{Name: message.Clip(ls[i].Name, maxText), Value: message.Clip(ls[i].Value, maxText)}
		}
		ls = short
	}
	return message.Clip(ls.String(), maxText)
}

// textSize returns how many bytes the labels have.
func textSize(ls narthex.Labels) (n int) {
	for _, l := range ls {
		n += len(l.Name) + len(l.Value)
	}
	return n
}

// textPerBody is how many times the limit of a body the labels of a push may
// have in bytes, and minTextLimit how many they may have with the smallest one.
// Symbols and a resource's attributes stand in a request once and in its series
// many times; whoever keeps the series keeps a copy for each.
const (
	textPerBody  = 8
	minTextLimit = 1 << 20
)

// fits returns an error of kind [narthex.TooLarge] if the labels of the series,
// and of their exemplars, unfold to more than a body should make.
func (d *door) fits(series []narthex.Series) error {
	limit := max(textPerBody*d.Limits.Body, minTextLimit)
	left := limit
	for i := range series {
		left -= int64(textSize(series[i].Labels))
		for j := range series[i].Exemplars {
			left -= int64(textSize(series[i].Exemplars[j].Labels))
		}
		if left < 0 {
			return narthex.Errorf(narthex.TooLarge, "the labels of all series have more than %d bytes once each has its own: send it in several, with shorter labels", limit)
		}
	}
	return nil
}
