package connpool

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// How many connections should be open? The first half of this file is
// arithmetic that anybody can check by hand: one function a formula, each with
// its source. The second half, Recommend, asks all of them and says in words
// which one decided.

// sizeCap is the largest size any function here returns. No server takes a
// million connections from one pool, and a bound keeps both the arithmetic
// (two sizes multiply without overflow) and the loops (QueueSize walks up to
// its answer, a few milliseconds for this one) in hand whatever is asked.
const sizeCap = 1 << 20

// sizeNoise is how far, relative to itself, a computed size may lie from a
// whole number and still be taken for it. It is far above what the rounding of
// a few multiplications leaves and far below what anyone can measure.
const sizeNoise = 1e-9

// leastRisk stands in for a risk of zero, which no finite number of
// connections meets: one request in a billion.
const leastRisk = 1e-9

// CoresSize is how many busy connections get the most work out of a server:
// cores*2 + spindles. Two a core, because a query that waits for a disk or a
// lock leaves its core to another; one a spindle, because so many reads go on
// at once. Count physical cores of the server, not of the client, and only
// the disks that reads really reach: 0 when the data is in memory. How SSDs
// count was never established; 1 is a common choice. The result is for all
// clients of the server together.
//
// Without a positive number of cores nothing is known and the result is 0.
// Negative spindles count as 0, and no result is above 1,048,576.
//
// Source: PostgreSQL wiki, "Number Of Database Connections"
// (https://wiki.postgresql.org/wiki/Number_Of_Database_Connections), made
// known by B. Wooldridge, "About Pool Sizing", HikariCP wiki
// (https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing).
func CoresSize(cores, spindles int) int {
	if cores < 1 {
		return 0
	}
	return min(sizeCap, 2*min(cores, sizeCap)+min(max(spindles, 0), sizeCap))
}

// DemandSize is how many connections a steady demand uses: rate requests a
// second, each holding one for hold, keep rate*hold in use on average;
// headroom multiplies that for the moments above the average (1.2 to 2 is
// usual) and the product is rounded up. It knows nothing of waiting: where
// that matters, QueueSize answers better.
//
// A rate or hold that is zero, negative or not a number is no demand and gives
// 0. A headroom below 1 (zero and NaN too) counts as 1, since a pool smaller
// than its mean use never catches up. Results, infinities included, stop at
// 1,048,576. A product within a billionth of a whole number is that number.
//
// Source: J. D. C. Little, "A Proof for the Queuing Formula: L = λW",
// Operations Research 9(3), 1961, pp. 383-387
// (https://doi.org/10.1287/opre.9.3.383).
func DemandSize(rate float64, hold time.Duration, headroom float64) int {
	if !(headroom > 1) {
		headroom = 1
	}
	return wholeSize(offeredLoad(rate, hold) * headroom)
}

// QueueSize is the fewest connections with which at most a share risk of the
// requests waits longer than wait, when rate requests a second come at random
// and each holds a connection for hold on average. The model is M/M/c: Poisson
// arrivals, exponential hold times, one first-come first-served queue. Steadier
// traffic waits less than it says, bursts wait more.
//
// It is always large enough to keep up, more than rate*hold, whatever risk is
// allowed. A rate or hold that is zero, negative or not a number is no demand
// and gives 0; a negative wait counts as 0, where risk bounds those who wait
// at all. A risk below one in a billion (zero, negative and NaN too) counts as
// that, one of 1 or more asks only for keeping up. Results stop at 1,048,576,
// also where that is not enough. The time it takes grows with the result,
// about 10 ms for a million.
//
// Source: P(W > t) = C(c, a) * exp(-(c-a) * t/hold) with a = rate*hold, where
// C is Erlang's delay formula: A. K. Erlang, "Solution of some Problems in the
// Theory of Probabilities of Significance in Automatic Telephone Exchanges",
// The Post Office Electrical Engineers' Journal 10, 1918, pp. 189-197 (Danish
// original: Elektroteknikeren 13, 1917).
func QueueSize(rate float64, hold, wait time.Duration, risk float64) int {
	load := offeredLoad(rate, hold)
	if load == 0 || load >= sizeCap {
		return wholeSize(load)
	}
	patience := holdsPatience(wait, hold)
	if !(risk >= leastRisk) {
		risk = leastRisk
	}
	loss := 1.0
	for size := 1; size < sizeCap; size++ {
		loss = erlangBStep(loss, size, load)
		keepsUp := float64(size) > load
		if keepsUp && erlangCFrom(loss, size, load)*waitTail(size, load, patience) <= risk*(1+sizeNoise) {
			return size
		}
	}
	return sizeCap
}

// DeadlockFloor is the fewest connections with which callers that each take
// perCaller of them, one after the other and without giving any back, cannot
// lock each other out for ever: callers*(perCaller-1) + 1. With that many, even
// when each caller lacks just its last one, one connection is left, and who
// gets it finishes. It is a floor against deadlock, not a size for speed.
//
// Callers are all who may borrow at the same time. With fewer than one caller
// or one connection each, nobody borrows and the result is 0; one connection
// each gives 1. No result is above 1,048,576.
//
// Source: B. Wooldridge, "About Pool Sizing", section "Pool-locking", HikariCP
// wiki (https://github.com/brettwooldridge/HikariCP/wiki/About-Pool-Sizing).
func DeadlockFloor(callers, perCaller int) int {
	if callers < 1 || perCaller < 1 {
		return 0
	}
	held := int64(min(callers, sizeCap)) * int64(min(perCaller, sizeCap)-1)
	return int(min(held+1, sizeCap))
}

// FleetSize is how many connections each instance of a service may open so
// that all of them fit on a server that takes serverMax in all and needs
// reserved of these for others (superusers, migrations, other services), even
// while a rolling deployment runs surge instances more than usual:
// (serverMax-reserved)/(instances+surge), rounded down.
//
// The result is 0 when there is not even one for each. It is not raised to 1:
// a pool of 1 would be refused by the server just the same, and what helps is
// fewer instances, a higher limit, or a pooler in front of the server.
// Fewer than 1 instance counts as 1, a negative surge or reserve as 0, a
// serverMax below 1 leaves nothing. No result is above 1,048,576.
func FleetSize(serverMax, reserved, instances, surge int) int {
	reserved = max(reserved, 0)
	if serverMax <= reserved {
		return 0
	}
	sharers := uint64(max(instances, 1)) + uint64(max(surge, 0))
	return int(min(uint64(serverMax-reserved)/sharers, sizeCap))
}

// offeredLoad is how many connections are in use on average, in erlangs
// (Little's law), or 0 when there is no demand. A load that is whole but for
// rounding is whole, so that keeping up with exactly 10 means 11, not 10.
func offeredLoad(rate float64, hold time.Duration) float64 {
	if !(rate > 0) || hold <= 0 {
		return 0
	}
	return withoutNoise(rate * hold.Seconds())
}

// wholeSize rounds a size up, NaN and nothing to 0, and stops at sizeCap.
func wholeSize(size float64) int {
	switch {
	case !(size > 0):
		return 0
	case size >= sizeCap:
		return sizeCap
	}
	return int(math.Ceil(withoutNoise(size)))
}

// withoutNoise is the whole number that x would be but for rounding, else x.
func withoutNoise(x float64) float64 {
	if whole := math.Round(x); math.Abs(x-whole) <= x*sizeNoise {
		return whole
	}
	return x
}

// holdsPatience is a wait counted in hold times.
func holdsPatience(wait, hold time.Duration) float64 {
	return float64(max(wait, 0)) / float64(hold)
}

// erlangBStep goes from the blocking probability of size-1 servers to that of
// size servers under the same load; no server at all blocks everybody, 1. All
// terms are positive and below load+size, so unlike the textbook sum of powers
// over factorials it neither overflows nor cancels.
//
// Source: V. B. Iversen (ed.), "Teletraffic Engineering Handbook", ITU-D SG
// 2/16 and ITC, 2001, chapter 7 (recursion of Erlang's B formula).
func erlangBStep(loss float64, size int, load float64) float64 {
	return load * loss / (float64(size) + load*loss)
}

// erlangCFrom is the probability that a request waits at all, from the
// blocking probability with the same size and load: c*B / (c - a*(1-B)). A
// system that cannot keep up makes everybody wait.
//
// Source: the same handbook, chapter 12 (Erlang's C formula by his B formula).
func erlangCFrom(loss float64, size int, load float64) float64 {
	servers := float64(size)
	if servers <= load {
		return 1
	}
	return servers * loss / (servers - load*(1-loss))
}

// erlangC is the probability that a request finds all size connections busy.
// It takes size steps.
func erlangC(size int, load float64) float64 {
	loss := 1.0
	for n := 1; n <= size; n++ {
		loss = erlangBStep(loss, n, load)
	}
	return erlangCFrom(loss, size, load)
}

// waitTail is the share of those who wait that waits longer than patience,
// which is counted in hold times: all of them where the queue only grows.
func waitTail(size int, load, patience float64) float64 {
	return math.Exp(-max(float64(size)-load, 0) * patience)
}

// waitsBeyond is P(W > wait), the share of requests that waits longer.
func waitsBeyond(size int, load float64, wait, hold time.Duration) float64 {
	return erlangC(size, load) * waitTail(size, load, holdsPatience(wait, hold))
}

// WorkloadKind is what the connections are for, which decides what a wait and
// an idle connection cost.
type WorkloadKind int

const (
	// Web requests come at random and somebody waits for each: enough
	// connections that few of them queue, and no more open than are used.
	Web WorkloadKind = iota
	// Batch work comes in runs, cares for throughput and may queue: as many as
	// the server works on at once, none between runs.
	Batch
	// RealTime work cannot afford a dial or a queue: all that will ever be
	// needed are open from the start.
	RealTime
	// Serverless instances are many, serve about one request at a time and are
	// frozen in between: one or two each, none that must be kept alive.
	Serverless
)

// String is the kind's name in lower case.
func (k WorkloadKind) String() string {
	names := [...]string{Web: "web", Batch: "batch", RealTime: "real-time", Serverless: "serverless"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("WorkloadKind(%d)", int(k))
	}
	return names[k]
}

// Workload describes one pool's demand, and the server it falls on. Rate, Hold,
// ConnsPerRequest and Callers are those of one instance of the service, the one
// that the pool runs in; the other numbers are the server's. What is zero,
// negative or not a finite number is not known, or has the default named below.
type Workload struct {
	Kind WorkloadKind // default, and for unknown kinds: Web

	Rate float64       // requests a second that this instance serves at its peak
	Hold time.Duration // how long one request holds a connection, on average

	// MaxWait is the wait for a connection that is acceptable, and WaitRisk the
	// share of requests (0.01 is 1 %) that may wait longer. Defaults: 50 ms and
	// 0.01; for RealTime 1 ms and 0.001. A WaitRisk of 1 or more has no meaning
	// and is the default too. Batch and Serverless are not sized by them.
	MaxWait  time.Duration
	WaitRisk float64

	ServerMax int // connections the server takes from everybody together
	Reserved  int // how many of these others need
	Instances int // how many instances of this service run; default 1

	ServerCores    int // physical cores of the server
	ServerSpindles int // disks that its reads reach; see CoresSize

	ConnsPerRequest int // connections that one request holds at the same time; default 1
	Callers         int // requests that may be served at the same time
}

// Recommendation is what Recommend suggests, in the terms of Config:
//
//	cfg.MinSize = r.MinSize
//	cfg.MaxSize = r.MaxSize
//	cfg.MaxIdle = r.MaxSize - r.Burst
//
// 0 <= MinSize <= MaxSize-Burst and 1 <= MaxSize-Burst always hold.
type Recommendation struct {
	MinSize int // connections to keep open even when nobody asks
	MaxSize int // most that may be open
	// Burst is how many of MaxSize are only for the moments above usual need:
	// opened for a peak, closed when they come back from it.
	Burst int
	// Reasons say how the sizes came about and what stands against them, each a
	// sentence with its figures, in the order they were weighed.
	Reasons []string
}

const (
	// batchHeadroom keeps a batch a fifth ahead of what comes in; its queue is
	// allowed, but has to shrink again.
	batchHeadroom = 1.2
	// serverlessSize is the most one serverless instance gets unless a deadlock
	// asks for more: one connection for its request and one for work beside it.
	serverlessSize = 2
)

// Recommend turns a Workload into sizes and says why. The kind decides how
// many are wanted: Web and RealTime ask QueueSize, Batch the lesser of
// DemandSize and the instance's part of CoresSize, Serverless takes 1 or 2.
// DeadlockFloor may raise that, FleetSize has the last word; a fleet that
// cannot be given what it needs is told so in Reasons, as is one whose pools
// together are more than the server's cores can work on. FleetSize is asked
// for a quarter of the instances, rounded up, as surge: the default of a
// Kubernetes Deployment's maxSurge
// (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge).
//
// MinSize is the mean in use for Web, or what one request needs if that is
// more, so that usual requests never wait for a dial; MaxSize for RealTime, so that none ever does; 0 for Batch, which can
// wait for the first dials of a run, and for Serverless, where nobody can keep
// a connection alive while the instance is frozen. Burst is MaxSize less the
// usual need: MinSize for Web, what one request needs for Serverless; Batch
// uses all it has during a run, and RealTime keeps all.
//
// Without Rate and Hold a Web or RealTime pool gets the instance's part of
// CoresSize, or, when the cores are not known either, Config's default of 10;
// measure then, and ask Stats.Recommend. A MaxSize is never below 1.
func Recommend(w Workload) Recommendation {
	p := newSizePlan(w)
	p.fitKind()
	p.raiseToDeadlockFloor()
	p.keepWithinFleet()
	p.warnOfDeadlock()
	p.warnOfCores()
	return p.recommendation()
}

// sizePlan is a Recommendation in the making.
type sizePlan struct {
	w     Workload // cleaned
	load  float64  // connections in use on average; 0 when not known
	floor int      // DeadlockFloor; for at least one caller, so that one request can finish

	least, usual, size int // sizeCap in least or usual means all of size

	sentences // the reasons so far
}

// sentences collects Reasons.
type sentences []string

func (s *sentences) say(format string, args ...any) {
	*s = append(*s, fmt.Sprintf(format, args...))
}

func newSizePlan(w Workload) *sizePlan {
	w = w.cleaned()
	return &sizePlan{
		w:     w,
		load:  offeredLoad(w.connRate(), w.Hold),
		floor: DeadlockFloor(max(w.Callers, 1), w.ConnsPerRequest),
	}
}

// cleaned puts defaults, or zero for unknown, in place of nonsense.
func (w Workload) cleaned() Workload {
	if w.Kind < Web || w.Kind > Serverless {
		w.Kind = Web
	}
	maxWait, waitRisk := 50*time.Millisecond, 0.01
	if w.Kind == RealTime {
		maxWait, waitRisk = time.Millisecond, 0.001
	}
	if w.MaxWait <= 0 {
		w.MaxWait = maxWait
	}
	if !(w.WaitRisk > 0 && w.WaitRisk < 1) {
		w.WaitRisk = waitRisk
	}
	if !(w.Rate > 0) || math.IsInf(w.Rate, 0) {
		w.Rate = 0
	}
	w.Hold = max(w.Hold, 0)
	for _, n := range []*int{&w.ServerMax, &w.Reserved, &w.ServerCores, &w.ServerSpindles, &w.Callers} {
		*n = max(*n, 0)
	}
	w.Instances = max(w.Instances, 1)
	w.ConnsPerRequest = max(w.ConnsPerRequest, 1)
	return w
}

// connRate is how many connections are borrowed a second: a request that needs
// several counts once for each.
func (w Workload) connRate() float64 { return w.Rate * float64(w.ConnsPerRequest) }

// surge is a quarter of the instances, rounded up.
func (w Workload) surge() int { return w.Instances/4 + min(w.Instances%4, 1) }

// coresShare is this instance's part of what the server's cores work on at
// once, at least 1, or 0 when the cores are not known.
func (w Workload) coresShare() int {
	if w.ServerCores == 0 {
		return 0
	}
	return max(1, CoresSize(w.ServerCores, w.ServerSpindles)/w.Instances)
}

func (p *sizePlan) fitKind() {
	p.sayLoad()
	switch {
	case p.w.Kind == Serverless:
		p.fitServerless()
	case p.w.Kind == Batch:
		p.fitBatch()
	case p.load == 0:
		p.least, p.usual, p.size = 0, sizeCap, p.guess()
	default:
		p.fitQueue()
	}
	if p.w.Kind == RealTime {
		p.least, p.usual = sizeCap, sizeCap
	}
}

func (p *sizePlan) sayLoad() {
	if p.load == 0 {
		return
	}
	p.say("%s a second, each holding %s for %s, keep %s in use on average (Little's law).",
		countOf(p.w.Rate, "request"), countOf(p.w.ConnsPerRequest, "connection"),
		shortDuration(p.w.Hold), shortNumber(p.load))
}

func (p *sizePlan) fitQueue() {
	p.size = QueueSize(p.w.connRate(), p.w.Hold, p.w.MaxWait, p.w.WaitRisk)
	p.usual = max(DemandSize(p.w.connRate(), p.w.Hold, 1), p.w.ConnsPerRequest)
	p.least = p.usual
	if p.size == sizeCap {
		p.say("The demand is beyond %d connections, the most that is computed here.", sizeCap)
		return
	}
	p.say("With %s, %s of the requests wait longer than %s, within the %s allowed (Erlang C).",
		countOf(p.size, "connection"), percent(p.waitsBeyond(p.size)), shortDuration(p.w.MaxWait), percent(p.w.WaitRisk))
}

func (p *sizePlan) waitsBeyond(size int) float64 {
	return waitsBeyond(size, p.load, p.w.MaxWait, p.w.Hold)
}

func (p *sizePlan) fitBatch() {
	p.least, p.usual = 0, sizeCap
	demand, share := DemandSize(p.w.connRate(), p.w.Hold, batchHeadroom), p.w.coresShare()
	switch {
	case demand == 0:
		p.size = p.guess()
	case share == 0 || demand <= share:
		p.size = demand
		p.say("Batch work may queue, so the mean in use and a fifth more are enough: %d.", demand)
	default:
		p.size = share
		p.sayCoresShare()
		p.say("The demand with a fifth more is %d: those beyond %d wait in the pool instead of slowing the server.", demand, share)
	}
}

func (p *sizePlan) fitServerless() {
	p.size = min(max(DemandSize(p.w.connRate(), p.w.Hold, 1), p.w.ConnsPerRequest), serverlessSize)
	p.least, p.usual = 0, p.w.ConnsPerRequest
	p.say("A serverless instance serves about one request at a time and the platform adds instances under load, so each opens at most %d.", p.size)
}

// guess is a size for a pool whose demand is not known.
func (p *sizePlan) guess() int {
	if share := p.w.coresShare(); share > 0 {
		p.say("Rate or Hold is not known, so the size is what the server's cores can work on.")
		p.sayCoresShare()
		return share
	}
	p.say("Neither Rate and Hold nor the server's cores are known, so the size is the default of %d.", defaultMaxSize)
	return defaultMaxSize
}

func (p *sizePlan) sayCoresShare() {
	total := CoresSize(p.w.ServerCores, p.w.ServerSpindles)
	p.say("%s and %s do best with %s at work (cores*2 + spindles), which is %d for each of %s.",
		countOf(p.w.ServerCores, "core"), countOf(p.w.ServerSpindles, "spindle"), countOf(total, "connection"),
		p.w.coresShare(), countOf(p.w.Instances, "instance"))
}

func (p *sizePlan) raiseToDeadlockFloor() {
	if p.floor <= p.size {
		return
	}
	p.say("%s, holding %d connections each, can end up waiting for ever with fewer than %d, so the size is raised from %d to that.",
		countOf(max(p.w.Callers, 1), "caller"), p.w.ConnsPerRequest, p.floor, p.size)
	p.size = p.floor
}

func (p *sizePlan) keepWithinFleet() {
	if p.w.ServerMax == 0 {
		return
	}
	share := FleetSize(p.w.ServerMax, p.w.Reserved, p.w.Instances, p.w.surge())
	p.say("The server takes %s less %d reserved, which is %d for each of %s and %d more during a deployment.",
		countOf(p.w.ServerMax, "connection"), p.w.Reserved, share, countOf(p.w.Instances, "instance"), p.w.surge())
	if p.size <= share {
		return
	}
	p.sayShortage(share)
	p.size = max(share, 1)
}

// sayShortage says what happens with fewer connections than wanted.
func (p *sizePlan) sayShortage(share int) {
	const remedy = "raise the server's limit or put a pooler in front"
	queues := p.load > 0 && (p.w.Kind == Web || p.w.Kind == RealTime)
	switch {
	case share == 0:
		p.say("There is not even one connection for each instance, so the server can refuse a pool of 1: %s, or run fewer instances.", remedy)
	case p.load >= float64(share) && p.w.Kind != Serverless:
		p.say("The fleet may open at most %d each, the demand asks for %d and keeps %s in use: the queue will grow without end; %s.",
			share, p.size, shortNumber(p.load), remedy)
	case queues && p.waitsBeyond(share) > p.w.WaitRisk:
		p.say("The fleet may open at most %d each, the demand asks for %d: queueing will exceed %s for %s of the requests instead of %s; %s.",
			share, p.size, shortDuration(p.w.MaxWait), percent(p.waitsBeyond(share)), percent(p.w.WaitRisk), remedy)
	default:
		p.say("The fleet may open at most %d each where %d are wanted: %s.", share, p.size, remedy)
	}
}

// warnOfDeadlock comes after every change of size: only then is it known
// whether the floor held.
func (p *sizePlan) warnOfDeadlock() {
	switch {
	case p.floor > p.size:
		p.say("A pool of %d can deadlock: %s, holding %d connections each, can end up waiting for ever with fewer than %d; let fewer run at once or hold fewer.",
			p.size, countOf(max(p.w.Callers, 1), "caller"), p.w.ConnsPerRequest, p.floor)
	case p.w.ConnsPerRequest > 1 && p.w.Callers == 0:
		p.say("A request holds %d connections and Callers is not known, so no size can be called safe from deadlock; set Callers.", p.w.ConnsPerRequest)
	}
}

func (p *sizePlan) warnOfCores() {
	best := CoresSize(p.w.ServerCores, p.w.ServerSpindles)
	total := float64(p.size) * float64(p.w.Instances)
	if best == 0 || total <= float64(best) {
		return
	}
	p.say("%d for each of %s make %s on a server whose cores do best with %d at work: expect slower queries when all are busy at once.",
		p.size, countOf(p.w.Instances, "instance"), countOf(total, "connection"), best)
}

func (p *sizePlan) recommendation() Recommendation {
	r := Recommendation{
		MinSize: min(p.least, p.size),
		MaxSize: p.size,
		Burst:   p.size - min(p.usual, p.size),
	}
	p.sayShape(r)
	r.Reasons = p.sentences
	return r
}

// sayShape says why so many are kept, and what becomes of the others.
func (p *sizePlan) sayShape(r Recommendation) {
	switch p.w.Kind {
	case Serverless:
		p.say("MinSize is 0: a frozen instance cannot keep a connection alive, and each one it leaves open counts against the server's limit.")
	case Batch:
		p.say("MinSize is 0: between runs nothing needs to stay open, and a run can wait for its first dials.")
	case RealTime:
		p.say("MinSize and MaxSize are both %d, so that no dial is ever on the path of a request.", r.MaxSize)
	default:
		p.sayWebShape(r)
	}
}

func (p *sizePlan) sayWebShape(r Recommendation) {
	switch {
	case p.load == 0:
		p.say("MinSize is 0 until the demand is known.")
	case r.MinSize < p.usual:
		p.say("MinSize is %d too, since the usual need at the peak is %d.", r.MinSize, p.usual)
	default:
		p.say("MinSize %d is the usual need at the peak, so that usual requests never wait for a dial.", r.MinSize)
	}
	if r.Burst > 0 {
		p.say("The %d above it are burst: opened for a peak, closed when they come back.", r.Burst)
	}
}

// Recommend is the package's Recommend for this pool, with what is zero in w
// filled in from measurement, and with reasons about what was seen. The
// counters of s must have been counted during over: the pool's whole life for
// a plain Stats, or the time between two of them when the earlier one's
// counters have been subtracted.
//
// Rate is Acquires/over divided by ConnsPerRequest, since one request counts as
// that many acquires. Hold is InUse divided by the acquires a second (Little's
// law, see DemandSize); InUse is the one moment of the snapshot, so take it
// under typical load, or set Hold. Both are means, and of what was served: a
// pool at its limit shows its own capacity, not the demand on it, and is told
// so in Reasons. With over zero or negative, or nothing acquired, nothing is
// filled in.
func (s Stats) Recommend(over time.Duration, w Workload) Recommendation {
	w, measured := s.fillWorkload(over, w)
	r := Recommend(w)
	r.Reasons = slices.Concat(measured, r.Reasons, s.sizeFindings(), s.sizeDifference(r))
	return r
}

// fillWorkload is w with Rate and Hold measured where they are not known, and
// a sentence for each.
func (s Stats) fillWorkload(over time.Duration, w Workload) (Workload, []string) {
	given := w.cleaned()
	if over <= 0 || s.Acquires == 0 {
		return w, []string{fmt.Sprintf("%s in %s give no rate, so nothing was measured.", countOf(s.Acquires, "acquire"), max(over, 0))}
	}
	var found sentences
	perSecond := float64(s.Acquires) / over.Seconds()
	if given.Rate == 0 {
		w.Rate = perSecond / float64(given.ConnsPerRequest)
		found.say("%s in %s are %s a second on average; set Rate where the peak is higher.",
			countOf(s.Acquires, "acquire"), shortDuration(over), shortNumber(perSecond))
		if s.leftSomeUnserved() {
			found.say("Some callers were still waiting or went without, so this is what the pool could serve, " +
				"less than what was asked of it: measure again after a change.")
		}
	}
	if given.Hold == 0 && s.InUse > 0 {
		w.Hold = secondsDuration(float64(s.InUse) / perSecond)
		found.say("%d in use at %s acquires a second are a mean hold of %s (Little's law).",
			s.InUse, shortNumber(perSecond), shortDuration(w.Hold))
	}
	return w, found
}

// leftSomeUnserved reports whether the pool did not serve all that was asked.
func (s Stats) leftSomeUnserved() bool { return s.Waiting > 0 || s.Timeouts > 0 || s.QueueFull > 0 }

// sizeFindings says what in the statistics bears on the size.
func (s Stats) sizeFindings() []string {
	var found sentences
	if s.Waits > 0 {
		found.say("%s had to wait, against %s granted (%s); the wait was %s on average.",
			countOf(s.Waits, "acquire"), countOf(s.Acquires, "lease"),
			percent(float64(s.Waits)/float64(max(s.Acquires, s.Waits))), shortDuration(averageOf(s.WaitTime)))
	}
	if s.Timeouts > 0 {
		found.say("%s timed out: the pool was too small, its connections were held too long, or the server was down.", countOf(s.Timeouts, "acquire"))
	}
	if s.QueueFull > 0 {
		found.say("%s failed because too many were waiting already (MaxWaiting).", countOf(s.QueueFull, "acquire"))
	}
	if s.ConnectErrors > 0 {
		found.say("%s failed: a larger pool does not help while the server refuses.", countOf(s.ConnectErrors, "dial"))
	}
	if s.OldestLease > defaultLeakThreshold {
		found.say("The oldest lease is %s old: if it was not meant to be held so long, find it in Holders before giving the pool more.", shortDuration(s.OldestLease))
	}
	return found
}

// averageOf is the mean of what a histogram counted, 0 for an empty one.
func averageOf(h Histogram) time.Duration {
	if h.Count == 0 {
		return 0
	}
	return time.Duration(float64(h.Sum) / float64(h.Count))
}

// sizeDifference says how the pool as it is differs from the recommendation.
func (s Stats) sizeDifference(r Recommendation) []string {
	var found sentences
	if s.MaxSize > 0 && s.MaxSize != r.MaxSize {
		found.say("MaxSize is %d now where %d is recommended.", s.MaxSize, r.MaxSize)
	}
	if surplus := min(s.Idle, s.Size-r.MaxSize); surplus > 0 {
		found.say("%d of %d open connections are idle, %d of them beyond the recommended size.", s.Idle, s.Size, surplus)
	}
	return found
}

// secondsDuration is the duration of so many seconds, or the longest one.
func secondsDuration(seconds float64) time.Duration {
	if ns := seconds * float64(time.Second); ns < math.MaxInt64 {
		return max(time.Duration(ns), 1)
	}
	return math.MaxInt64
}

// countOf is a number with its noun, like "1 instance" or "4 instances".
func countOf[N int | uint64 | float64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return shortNumber(float64(n)) + " " + noun
}

// shortNumber keeps whole numbers as they are and cuts others to what a reader
// can use.
func shortNumber(x float64) string {
	switch {
	case x >= 1e15:
		return "over 1e15"
	case x == math.Trunc(x) || x >= 100:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// percent is a share as a percentage, like "0.84 %".
func percent(share float64) string {
	if share > 0 && share < 1e-5 {
		return "less than 0.001 %"
	}
	return shortNumber(withoutNoise(share*100)) + " %"
}

// shortDuration drops the digits that a measured duration does not have.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.String()
}
