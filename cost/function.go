package cost

import (
	"cmp"
	"math"
	"time"
)

// What the functions do, as deploy/cdk makes them. test/costcounted_test.go counts
// it and holds it against this.
const (
	pollers     = 2                     // of a queue: the least maximum concurrency
	logPollers  = 4                     // of the queue that tells of log files
	pollWait    = 20 * time.Second      // of a poll that finds nothing
	foldWindow  = 5 * time.Second       // that a batch of pushes is gathered for
	foldMost    = 1000                  // messages of a batch
	sqsMost     = 10                    // messages of a request
	receiveTime = 20 * time.Millisecond // of a poll that finds something, by which others have come
	ownCounting = 37                    // series that push, fold and tick write of themselves
	ownProbe    = 16                    // and those that a function that probes does
	roundSeries = 5                     // narthex_runner_round_…, of each region
	perItem     = 380                   // KB of an item in DynamoDB at most
	groupBytes  = 49                    // of a series in a group (docs/serverless.md)
	cacheShare  = 48                    // of its memory that a function keeps of the totals, as they are stored
	answer      = 4e3                   // bytes of a probe that is pulled
	minutes     = float64(Month / time.Minute)
	seconds     = float64(Month / time.Second)
)

// Work is what an invocation takes: how long, with which memory in MB.
type Work struct {
	Duration time.Duration
	Memory   int
}

// work is what an invocation takes of which w may say nothing.
func (p Plan) work(w Work) Work { return cmp.Or(w, Work{p.Duration, p.Memory}) }

// invoke adds invocations of a function.
func (p Plan) invoke(u Usage, n float64, w Work) {
	w = p.work(w)
	u[LambdaRequests] += n
	item := LambdaArm
	if p.Arch == "x86_64" {
		item = LambdaX86
	}
	u[item] += n * w.Duration.Seconds() * float64(w.Memory) / 1024
}

// ticks is how many there are in a month.
func (p Plan) ticks() float64 { return float64(Month) / float64(p.Interval) }

// tick adds what makes ticks: a schedule each minute, or at the interval if that is
// longer; below a minute its function sends messages in batches, which a queue
// delays, and each invokes the function again.
func (p Plan) tick(u Usage) {
	n := p.ticks()
	u[Scheduler] += min(n, minutes)
	p.invoke(u, n, p.Tick)
	if p.Interval < time.Minute {
		p.invoke(u, minutes, Work{})
		aMinute := float64(time.Minute) / float64(p.Interval)
		u[SQSRequests] += minutes*math.Ceil(aMinute/sqsMost) + n + polls(n, 0, pollers)
	}
}

// polls is how many requests to receive there are for so many batches of a month:
// one that brings each of them, and those that found nothing. A poller that waits
// for one out of b a second waits m = pollers/b - window on average, and as arrivals
// are random, it asks in vain 1/(exp(pollWait/m)-1) times.
func polls(batches float64, window time.Duration, pollers float64) float64 {
	m := pollers*seconds/batches - window.Seconds()
	if batches == 0 {
		return pollers * seconds / pollWait.Seconds()
	}
	if m <= 0 {
		return batches
	}
	return batches + batches/math.Expm1(pollWait.Seconds()/m)
}

// probes is what the probes of one region use. Pull has an invocation for each target,
// whose answer leaves AWS; push has one for all of them.
func (p Plan) probes() Usage {
	u := Usage{}
	n := p.ticks()
	due := p.Due * float64(p.Targets)
	if p.Mode == Pull {
		samples(u, n*due*float64(p.SeriesPerTarget))
		p.invoke(u, n*due, Work{})
		u[DataOut] += n * due * answer / 1e9
		return u
	}
	samples(u, n*(due*float64(p.SeriesPerTarget)+roundSeries))
	p.tick(u)
	if !p.Silent {
		samples(u, n*ownProbe)
		p.store(u, minutes, 0, float64(p.Targets*p.SeriesPerTarget))
	}
	// What probes count is folded and ticked by the same function; which series there
	// were is looked up.
	p.store(u, 2*n, n, float64(p.Targets*p.SeriesPerTarget))
	return u
}

// counting is what pushes and logs use: a function takes a push and sends it to a
// queue, another one folds batches of it, and a third one writes the totals.
func (p Plan) counting() Usage {
	u := Usage{}
	beats := float64(Month) / float64(max(p.Heartbeat, p.Interval))
	samples(u, p.Series*(p.Busy*p.ticks()+(1-p.Busy)*beats))
	if p.Pushes == 0 && p.Objects == 0 {
		return u // counted by a narthex that runs somewhere, or by one's own
	}
	p.tick(u)
	folds, messages := p.Objects, p.Pushes
	if p.Pushes > 0 {
		p.invoke(u, p.Pushes, p.Door)
		if !p.Silent { // what the door has to tell goes through the queue
			messages += minutes
		}
		folds += p.folds(u, messages)
	}
	if !p.Silent {
		samples(u, p.ticks()*ownCounting)
		p.store(u, 3*minutes, minutes, p.Series)
	}
	if p.Objects > 0 {
		p.invoke(u, p.Objects, Work{})
		u[SQSRequests] += p.Objects + polls(p.Objects, 0, logPollers)
		u[S3Gets] += p.Objects
	}
	// Whoever comes after somebody else has changed the totals loses the swap, reads
	// them again and swaps: the fold after a tick, and the tick after a fold.
	turns := 2 * min(folds, p.ticks())
	groups := float64(p.Groups)
	touched := groups * (1 - math.Pow(1-1/groups, max(1, messages/max(1, folds))))
	reads := turns * groups
	if p.Series*groupBytes > float64(p.work(p.Tick).Memory)*1e6/cacheShare { // they are not kept in memory
		reads += folds*touched + p.ticks()*groups
	}
	p.store(u, folds*touched+(p.ticks()+turns)*groups, reads, p.Series)
	return u
}

// folds adds what the queue does for so many messages, and returns how many batches
// there are. Those that come while a batch is gathered are spread over the pollers.
func (p Plan) folds(u Usage, messages float64) float64 {
	if p.Direct {
		return messages
	}
	aSecond := messages / seconds
	n := messages / cmp.Or(p.Batch, min(foldMost, 1+aSecond*foldWindow.Seconds()/pollers))
	p.invoke(u, n, p.Fold)
	received := min(sqsMost, 1+aSecond*receiveTime.Seconds())
	// The last request of a batch finds nothing.
	u[SQSRequests] += messages + messages/received + polls(n, foldWindow, pollers) + n*math.Ceil(messages/n/sqsMost)
	return n
}

// store adds writes and reads of the totals of so many series.
func (p Plan) store(u Usage, writes, reads, series float64) {
	if !p.DynamoDB {
		u[S3Puts] += writes
		u[S3Gets] += reads
		return
	}
	size := max(1, min(perItem, series/float64(p.Groups)*groupBytes/1e3))
	u[DynamoWrites] += writes * math.Ceil(size)
	u[DynamoReads] += reads * math.Ceil(size/4)
}
