package pipeline

import (
	"context"

	"narthex"
)

// Outlet is a sink before a destination: it adds the labels that tell this
// narthex from others to the series that do not have them, takes the series
// through the steps of relabelling, and passes on those that are kept. Labels
// come first, as with Prometheus's remote write.
type Outlet struct {
	// External are the labels to add.
	External narthex.Labels
	Relabel  []Relabel
	Next     narthex.Sink
}

// Write implements [narthex.Sink]. The batch's series are not changed.
func (o *Outlet) Write(ctx context.Context, b *narthex.Batch) error {
	if len(o.External) == 0 && len(o.Relabel) == 0 {
		return o.Next.Write(ctx, b)
	}
	out := *b
	out.Rejected, out.Warnings = nil, nil
	out.Series = make([]narthex.Series, 0, len(b.Series))
	for i := range b.Series {
		s := b.Series[i]
		ls, keep := Process(Under(s.Labels, o.External), o.Relabel)
		if !keep || len(ls) == 0 {
			continue
		}
		s.Labels = ls
		out.Series = append(out.Series, s)
	}
	if len(out.Series) == 0 {
		return nil
	}
	err := o.Next.Write(ctx, &out)
	b.Rejected = append(b.Rejected, out.Rejected...)
	b.Warnings = append(b.Warnings, out.Warnings...)
	return err
}

// Under returns ls with those of the other labels whose names it does not have.
func Under(ls, others narthex.Labels) narthex.Labels {
	if len(others) == 0 {
		return ls
	}
	out := make(narthex.Labels, 0, len(ls)+len(others))
	for len(ls) > 0 && len(others) > 0 {
		switch a, b := ls[0], others[0]; {
		case a.Name < b.Name:
			out, ls = append(out, a), ls[1:]
		case a.Name > b.Name:
			out, others = append(out, b), others[1:]
		default:
			out, ls, others = append(out, a), ls[1:], others[1:]
		}
	}
	return append(append(out, ls...), others...)
}
