package quota_test

import (
	"strings"
	"testing"
	"time"

	"narthex/quota"
)

const day = 24 * time.Hour

// Each use is one somebody may have; first is the quota that it reaches first.
func TestCheck(t *testing.T) {
	small := quota.Use{Amazon: true, Series: 10_000, Interval: 15 * time.Second, LabelsPerSeries: 30, LabelNameLength: 64, LabelValueLength: 512}
	with := func(change func(*quota.Use)) quota.Use {
		u := small
		change(&u)
		return u
	}
	lambda := quota.Use{Lambda: true, Body: 512 << 10, Queue: true, Groups: 1, Interval: time.Minute, Series: 10_000}
	onLambda := func(change func(*quota.Use)) quota.Use {
		u := lambda
		change(&u)
		return u
	}
	for _, c := range []struct {
		name  string
		use   quota.Use
		first string
		share float64 // of the first, about
		over  int     // how many do not fit
	}{
		{"nothing in particular", quota.Use{Series: 1e9}, "", 0, 0},
		{"a small team", small, "length of a label's name", 0.5, 0},
		{"two million series", with(func(u *quota.Use) { u.Series = 3_000_000 }), "series that a new workspace takes at once", 1.5, 1},
		{"sixty million series", with(func(u *quota.Use) { u.Series = 60_000_000 }), "series that a new workspace takes at once", 30, 3},
		{"a sample a second", with(func(u *quota.Use) { u.Series, u.Interval = 2_000_000, time.Second }), "samples a second", 1.2, 1},
		{"more labels than Amazon takes", with(func(u *quota.Use) { u.LabelsPerSeries = 200 }), "labels of a series", 1.33, 1},
		{"long names", with(func(u *quota.Use) { u.LabelNameLength = 256 }), "length of a label's name", 2, 1},
		{"long values", with(func(u *quota.Use) { u.LabelValueLength = 4096 }), "length of a label's value", 2, 1},
		{"any name", with(func(u *quota.Use) { u.UTF8Names = true }), "names beyond letters, digits and underscores", 2, 1},
		{"remote write 2.0", with(func(u *quota.Use) { u.RemoteWrite2 = true }), "remote write 2.0", 2, 1},
		{"fine histograms", with(func(u *quota.Use) { u.NativeBuckets = 160 }), "buckets of a native histogram", 0.8, 0},
		{"logs of up to two hours ago", with(func(u *quota.Use) { u.Age = 2 * time.Hour }), "age of a sample", 2, 1},
		{"logs of up to half an hour ago", with(func(u *quota.Use) { u.Age = 45 * time.Minute }), "age of a sample", 0.75, 0},
		{"an hour of disorder", with(func(u *quota.Use) { u.Disorder = time.Hour }), "out-of-order time window", 6, 1},
		{"five years", with(func(u *quota.Use) { u.Retention = 5 * 365 * day }), "retention", 1.67, 1},
		{"a year", with(func(u *quota.Use) { u.Retention = 365 * day }), "length of a label's name", 0.5, 0},
		{"a small function", lambda, "message of the queue", 0.5, 0},
		{"pushes of 2 MiB", onLambda(func(u *quota.Use) { u.Body = 2 << 20 }), "message of the queue", 2, 1},
		{"the same with a place for bodies", onLambda(func(u *quota.Use) { u.Body, u.Bodies = 2<<20, true }), "body of a request, as base64", 0.44, 0},
		{"pushes of 10 MiB", onLambda(func(u *quota.Use) { u.Body, u.Bodies = 10<<20, true }), "body of a request, as base64", 2.22, 1},
		{"15 s without a queue for them", onLambda(func(u *quota.Use) { u.Interval = 15 * time.Second }), "distance of schedules", 4, 1},
		{"15 s with one", onLambda(func(u *quota.Use) { u.Interval, u.Delayed = 15*time.Second, true }), "message of the queue", 0.5, 0},
		{"a table of large items", onLambda(func(u *quota.Use) { u.DynamoDB = true }), "size of an item", 1.05, 1},
		{"the same in two groups", onLambda(func(u *quota.Use) { u.DynamoDB, u.Groups = true, 2 }), "size of an item", 0.52, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := quota.Check(c.use)
			first, share, over := "", 0., 0
			for i, f := range got {
				if i == 0 {
					first, share = f.Quota, f.Share
				}
				if i > 0 && f.Share > got[i-1].Share {
					t.Errorf("%q comes after %q, which has more room", f.Quota, got[i-1].Quota)
				}
				if f.Source == "" || f.Want == "" || f.Limit == "" {
					t.Errorf("%q says too little: %+v", f.Quota, f)
				}
				if !f.Fits() {
					over++
					if f.Then == "" || f.Remedy == "" || !strings.Contains(f.String(), f.Remedy) {
						t.Errorf("%q does not fit and has no remedy", f.Quota)
					}
				}
			}
			if first != c.first || over != c.over || share < c.share-0.02 || share > c.share+0.02 {
				t.Errorf("first %q with %.3f, %d over; want %q with %.2f, %d over", first, share, over, c.first, c.share, c.over)
			}
		})
	}
}

func TestString(t *testing.T) {
	u := quota.Use{Amazon: true, Series: 3_000_000, Age: 90 * time.Minute, Retention: 2000 * day}
	var got []string
	for _, f := range quota.Check(u) {
		got = append(got, f.String())
	}
	want := []string{
		"retention: 2000 d of 1095 d (--retention): samples are gone earlier; keep what has to be older in a store of your own: a second remote_write",
		"series that a new workspace takes at once: 3,000,000 of 2,000,000 (limits.series): more than twice the average of the last half hour is throttled (429); let the number grow over hours; narthex repeats what is refused",
		"age of a sample: 90 min of 1 h (logs.lateness): older samples are refused (greater_than_max_sample_age); keep lateness below 50m",
		"active series of the workspace: 3,000,000 of 50,000,000 (limits.series)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
