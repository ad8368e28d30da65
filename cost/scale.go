package cost

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// What a tick and a fold take, as make scale measures it (docs/scale.md), and how
// large what they work on is.
const (
	tickSeries  = 4e-6   // s of processor time, a series that a tick reads, saves and writes
	groupSeries = 1.6e-6 // a series of the groups that a fold reads and saves
	foldSeries  = 6e-6   // a series that is pushed
	// roundTrip is how long S3 and a workspace take to answer, in s. Source: Amazon S3
	// User Guide, "Performance guidelines": 100 to 200 ms.
	roundTrip   = 0.1
	idBytes     = 31     // of an id in each group that its push has series of (docs/serverless.md)
	parallel    = 8      // groups that are worked on at a time
	mostGroups  = 256    // of an installation
	groupOfS3   = 31_250 // series of a group
	groupOfItem = 5_000  // in DynamoDB
	writeSeries = 10_000 // of a request of remote write
	aCore       = 1769   // MB; source: AWS Lambda Developer Guide, "Configure memory"
	mostMemory  = 10_240 // MB
	// scaleWindow is how long pushes are gathered for, scaleBatch how many of 1,000
	// series (23 KB each) fit into an invocation of 6 MB with room to spare.
	scaleWindow = 20 * time.Second
	scaleBatch  = 150
	tickShare   = 0.5           // of the interval that a tick may take, as folds want the same groups
	foldsMost   = 0.8 * pollers // folds at a time on average: two lose hardly a swap (docs/scale.md)
)

// doorWork is what a push takes that is checked and sent to the queue (docs/serverless.md).
var doorWork = Work{Duration: 5 * time.Millisecond, Memory: 512}

// Scale is so many series, each of which is pushed once in Every (default a minute)
// by senders who send PerPush of them at a time (default 1,000).
type Scale struct {
	Series   float64
	Interval time.Duration // of ticks, default 15 s
	Every    time.Duration
	PerPush  float64
}

// Sized is what a scale needs: so many installations, each with its own state, queue
// and functions.
type Sized struct {
	Scale
	Installations int
	Groups        int // of each
	Tick, Fold    Step
	Batch         float64 // pushes of a fold
	// Folds is how many folds run at a time on average in each installation.
	Folds float64
	// IDs is how many bytes the ids of an hour's pushes are in all groups of an installation.
	IDs float64
	// Running is how many functions run at a time on average, in all installations.
	Running float64
	// Alone is what the only installation would come to, the first that does not fit
	// first; none if one is enough.
	Alone []string
	Usage Usage // a month
	// Items is the usage of DynamoDB if the totals were there, in ItemInstallations of
	// ItemGroups each.
	ItemInstallations, ItemGroups int
	Items                         Usage
}

// Step is a function's work: seconds of processor time, the memory that it has, and
// how long it takes with that, waiting for answers included.
type Step struct {
	CPU      float64 // s
	Memory   int     // MB
	Duration time.Duration
}

// Size returns what is needed.
func (s Scale) Size() (Sized, error) {
	s.Interval, s.Every, s.PerPush = cmp.Or(s.Interval, 15*time.Second), cmp.Or(s.Every, time.Minute), cmp.Or(s.PerPush, 1000)
	if s.Series < 1 || s.Series > 1e10 || s.PerPush < 1 || s.Interval < time.Second || s.Every < time.Second {
		return Sized{}, errors.New("want 1 to 10,000,000,000 series and intervals of 1s or more")
	}
	var alone []string
	for k := 1; ; k++ {
		x := s.in(k)
		late := x.late()
		if k == 1 {
			alone = late
		}
		if len(late) > 0 {
			continue
		}
		x.Alone = alone
		var err error
		if x.Usage, err = x.plan(x.Groups, false).Usage(); err != nil {
			return Sized{}, err
		}
		x.Usage[S3Storage] = s.Series / float64(k) * groupBytes / 1e9
		x.Usage = x.Usage.Times(float64(k))
		x.Running = (x.Usage[LambdaRequests] - float64(k)*x.spentIn()) * doorWork.Duration.Seconds() / seconds
		x.Running += float64(k) * (x.Folds + x.Tick.Duration.Seconds()/s.Interval.Seconds())
		return x, x.inItems()
	}
}

// spentIn is how many invocations of an installation are no pushes.
func (x *Sized) spentIn() float64 { return x.folds() + x.plan(x.Groups, false).ticks() }

// pushes is how many there are a second in each installation.
func (x *Sized) pushes() float64 {
	return x.Series / float64(x.Installations) / x.PerPush / x.Every.Seconds()
}

// folds is how many there are in a month in each installation.
func (x *Sized) folds() float64 { return x.pushes() / x.Batch * seconds }

// in spreads the series over so many installations.
func (s Scale) in(k int) Sized {
	n := s.Series / float64(k)
	x := Sized{Scale: s, Installations: k, Groups: groupsOf(n, groupOfS3)}
	x.Batch = min(max(1, x.pushes()*scaleWindow.Seconds()), max(1, scaleBatch*1000/s.PerPush), foldMost) // what comes while pushes are gathered
	groups := float64(x.Groups)
	touched := groups * (1 - math.Pow(1-1/groups, x.Batch*s.PerPush))
	requests := 2 + math.Ceil(n/groups/writeSeries) // one is read, one saved, and what is written
	x.Tick = step(n*tickSeries, groups, requests, tickShare*s.Interval.Seconds())
	x.Fold = step(n*touched/groups*groupSeries+x.Batch*s.PerPush*foldSeries, touched, 2, foldsMost*x.Batch/x.pushes())
	x.Folds = x.pushes() / x.Batch * x.Fold.Duration.Seconds()
	x.IDs = x.pushes() * time.Hour.Seconds() * idBytes * groups * (1 - math.Pow(1-1/groups, s.PerPush))
	return x
}

func groupsOf(series, each float64) int { return int(min(mostGroups, max(1, math.Ceil(series/each)))) }

// step finds the smallest memory with which the work takes no longer than it may, or
// the largest.
func step(cpu, groups, requests, may float64) Step {
	waits := math.Ceil(groups/parallel) * requests * roundTrip
	for cores := 1; ; cores++ {
		memory := min(cores*aCore, mostMemory)
		took := cpu*aCore/float64(memory) + waits
		if took <= may || memory == mostMemory {
			return Step{cpu, memory, time.Duration(took * float64(time.Second))}
		}
	}
}

// late says what takes longer than it may.
func (x *Sized) late() (out []string) {
	if took, may := x.Tick.Duration.Seconds(), tickShare*x.Interval.Seconds(); took > may {
		out = append(out, fmt.Sprintf("a tick takes %.1f s of %.0f s", took, x.Interval.Seconds()))
	}
	if x.Folds > foldsMost {
		out = append(out, fmt.Sprintf("%.1f folds run at a time", x.Folds))
	}
	return out
}

// plan is what one of the installations does.
func (x *Sized) plan(groups int, items bool) Plan {
	n := x.Series / float64(x.Installations)
	return Plan{
		Series: n, Pushes: x.pushes() * seconds, Batch: x.Batch, Groups: groups, DynamoDB: items, Interval: x.Interval,
		Duration: 100 * time.Millisecond, Memory: 512, Door: doorWork, Fold: Work{x.Fold.Duration, x.Fold.Memory}, Tick: Work{x.Tick.Duration, x.Tick.Memory},
	}
}

// inItems reckons the totals in DynamoDB, whose items are small, so that there are
// more groups and perhaps more installations.
func (x *Sized) inItems() error {
	other := x.Scale.in(max(x.Installations, int(math.Ceil(x.Series/(mostGroups*groupOfItem)))))
	x.ItemInstallations = other.Installations
	x.ItemGroups = groupsOf(x.Series/float64(other.Installations), groupOfItem)
	u, err := other.plan(x.ItemGroups, true).Usage()
	x.Items = Usage{DynamoWrites: u[DynamoWrites], DynamoReads: u[DynamoReads]}.Times(float64(other.Installations))
	return err
}
