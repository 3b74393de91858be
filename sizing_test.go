package connpool

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCoresSizeIsTwiceTheCoresPlusTheSpindles(t *testing.T) {
	for name, c := range map[string]struct{ cores, spindles, want int }{
		"the published example of 8 cores and a disk": {8, 1, 17},
		"4 cores and a disk":                          {4, 1, 9},
		"all data in memory":                          {16, 0, 32},
		"cores not known":                             {0, 4, 0},
		"negative cores":                              {-3, 4, 0},
		"negative spindles":                           {2, -5, 4},
		"no overflow":                                 {math.MaxInt, math.MaxInt, sizeCap},
		"least integers":                              {math.MinInt, math.MinInt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, CoresSize(c.cores, c.spindles))
		})
	}
}

func TestDemandSizeIsLittlesLawTimesHeadroom(t *testing.T) {
	const ms = time.Millisecond
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		rate     float64
		hold     time.Duration
		headroom float64
		want     int
	}{
		"100 a second for 100ms with half more":     {100, 100 * ms, 1.5, 15},
		"100 a second for 50ms with a fifth more":   {100, 50 * ms, 1.2, 6},
		"a part of a connection is a whole one":     {101, 100 * ms, 1.5, 16},
		"the least demand is one connection":        {1e-12, time.Nanosecond, 1, 1},
		"rounding noise is not one more":            {150.00000001, 100 * ms, 1, 15},
		"noise below is not one less":               {149.99999999, 100 * ms, 1, 15},
		"a tenth three times is 3, not 3.0000…0004": {0.1, 10 * time.Second, 3, 3},
		"no rate":              {0, time.Second, 2, 0},
		"negative rate":        {-5, time.Second, 2, 0},
		"no hold":              {5, 0, 2, 0},
		"negative hold":        {5, -time.Second, 2, 0},
		"rate not a number":    {nan, time.Second, 2, 0},
		"headroom below one":   {100, 100 * ms, 0.5, 10},
		"headroom zero":        {100, 100 * ms, 0, 10},
		"headroom not known":   {100, 100 * ms, nan, 10},
		"headroom negative":    {100, 100 * ms, -inf, 10},
		"infinite rate":        {inf, time.Nanosecond, 1, sizeCap},
		"infinite headroom":    {1, time.Nanosecond, inf, sizeCap},
		"overflow":             {math.MaxFloat64, math.MaxInt64, math.MaxFloat64, sizeCap},
		"nothing times no end": {0, time.Second, inf, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, DemandSize(c.rate, c.hold, c.headroom))
		})
	}
}

// The probability of waiting and the mean wait at 90 % utilization and a mean
// hold of 1: I. Adan and J. Resing, "Queueing Systems", Eindhoven University of
// Technology, 2015, Table 5.1, "Performance characteristics for the M/M/c with
// µ = 1 and ρ = 0.9" (https://www.win.tue.nl/~iadan/queueing.pdf). The table has
// two digits; its mean wait for c = 5 is printed from a rounded probability.
func TestErlangCMatchesThePublishedTable(t *testing.T) {
	for _, row := range []struct {
		servers         int
		waits, meanWait float64
	}{
		{1, 0.90, 9.00},
		{2, 0.85, 4.26},
		{5, 0.76, 1.53},
		{10, 0.67, 0.67},
		{20, 0.55, 0.28},
	} {
		load := 0.9 * float64(row.servers)
		waits := erlangC(row.servers, load)
		require.InDelta(t, row.waits, waits, 0.005, "%d servers", row.servers)
		require.InDelta(t, row.meanWait, waits/(float64(row.servers)-load), 0.0051, "%d servers", row.servers)
	}
}

// Two delay systems worked out in V. B. Iversen (ed.), "Teletraffic Engineering
// Handbook", ITU-D SG 2/16 and ITC, 2001, Example 12.3.1: mean waits of all
// calls, C * hold/(c-a), of 0.075 s and 0.199 s.
func TestErlangCMatchesTheHandbooksExample(t *testing.T) {
	require.InDelta(t, 0.075, erlangC(32, 20)*100/(32-20), 0.0005)
	require.InDelta(t, 0.199, erlangC(5, 2)*10/(5-2), 0.0005)
}

// The worked example of pyworkforce, an independent implementation that prints
// all digits (https://pypi.org/project/pyworkforce/0.1.0/): 100 calls of 3
// minutes in half an hour need 14 agents for 80 % to be answered within 20 s;
// of the calls 0.174 wait at all and 0.888 are answered in time.
func TestQueueSizeMatchesAnIndependentImplementation(t *testing.T) {
	rate, hold, wait := 100.0/1800, 180*time.Second, 20*time.Second
	require.Equal(t, 14, QueueSize(rate, hold, wait, 0.2))
	require.InDelta(t, 0.1741319335950498, erlangC(14, 10), 1e-14)
	require.InDelta(t, 1-0.8883500191794669, waitsBeyond(14, 10, wait, hold), 1e-14)
}

func TestErlangCEqualsItsDefinition(t *testing.T) {
	for size := 1; size <= 40; size++ {
		for _, use := range []float64{0.01, 0.3, 0.5, 0.77, 0.95, 0.999} {
			load := use * float64(size)
			require.InEpsilon(t, erlangCByDefinition(size, load), erlangC(size, load), 1e-10, "C(%d, %v)", size, load)
		}
	}
}

// erlangCByDefinition is the sum of powers over factorials as Erlang wrote it,
// which a float64 holds only for small sizes.
func erlangCByDefinition(size int, load float64) float64 {
	term, sum := 1.0, 0.0
	for k := range size {
		sum += term
		term *= load / float64(k+1)
	}
	queued := term * float64(size) / (float64(size) - load)
	return queued / (sum + queued)
}

func TestErlangCIsOneWhereNobodyKeepsUp(t *testing.T) {
	require.Equal(t, 1.0, erlangC(10, 10))
	require.Equal(t, 1.0, erlangC(10, 1e300))
	require.Equal(t, 1.0, waitsBeyond(3, 10, time.Hour, time.Nanosecond))
	require.Zero(t, erlangC(10, 0))
}

func TestQueueSizeIsTheFewestThatKeepTheRisk(t *testing.T) {
	const hold = 100 * time.Millisecond
	for _, rate := range []float64{0.1, 3, 25, 100, 999, 12345} {
		for _, wait := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, time.Second} {
			for _, risk := range []float64{0.5, 0.05, 0.01, 1e-6} {
				size, load := QueueSize(rate, hold, wait, risk), rate*hold.Seconds()
				require.LessOrEqual(t, waitsBeyond(size, load, wait, hold), risk*(1+1e-8))
				fewer := size - 1
				require.True(t, float64(fewer) <= load*(1+1e-8) || waitsBeyond(fewer, load, wait, hold) > risk,
					"%d would do where QueueSize(%v, %v, %v, %v) is %d", fewer, rate, hold, wait, risk, size)
			}
		}
	}
}

func TestQueueSizeTakesNonsenseAsDocumented(t *testing.T) {
	const s = time.Second
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		rate       float64
		hold, wait time.Duration
		risk       float64
		want       int
	}{
		"no rate":                        {0, s, 0, 0.1, 0},
		"negative rate":                  {-1, s, 0, 0.1, 0},
		"rate not a number":              {nan, s, 0, 0.1, 0},
		"no hold":                        {1, 0, 0, 0.1, 0},
		"negative hold":                  {1, -s, 0, 0.1, 0},
		"negative wait is no wait":       {10, s, -s, 0.01, QueueSize(10, s, 0, 0.01)},
		"no risk is one in a billion":    {10, s, 0, 0, QueueSize(10, s, 0, 1e-9)},
		"negative risk is too":           {10, s, 0, -1, QueueSize(10, s, 0, 1e-9)},
		"risk not a number is too":       {10, s, 0, nan, QueueSize(10, s, 0, 1e-9)},
		"any risk still keeps up":        {10, s, 0, 1, 11},
		"a risk above one is any":        {10, s, 0, inf, 11},
		"keeping up allows for noise":    {9.9999999999, s, 0, 1, 11},
		"an endless wait still keeps up": {10, s, math.MaxInt64, 0.01, 11},
		"next to no demand":              {1e-300, 1, 0, 0.01, 1},
		"a risk that is met exactly":     {0.5, s, 0, 0.5, 1},
		"infinite rate":                  {inf, 1, 0, 0.1, sizeCap},
		"overflow":                       {math.MaxFloat64, math.MaxInt64, 0, 0.1, sizeCap},
		"just below the cap":             {sizeCap - 1, s, 0, 1e-9, sizeCap},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, QueueSize(c.rate, c.hold, c.wait, c.risk))
		})
	}
}

func TestQueueSizeAnswersForAMillionAtOnce(t *testing.T) {
	began := time.Now()
	size := QueueSize(1e6, time.Second, 0, 0.01)
	// 5 ms on a 2-core machine; the bound only catches a loop gone wrong.
	require.Less(t, time.Since(began), 5*time.Second)
	// The square-root rule says 1e6 + b*1000 with b about 2.4 (S. Halfin and
	// W. Whitt, "Heavy-Traffic Limits for Queues with Many Exponential
	// Servers", Operations Research 29(3), 1981).
	require.InDelta(t, 1e6+2400, size, 100)
}

func TestDeadlockFloorLeavesOneConnectionForTheLastNeed(t *testing.T) {
	for name, c := range map[string]struct{ callers, perCaller, want int }{
		"the published example of 3 callers with 4": {3, 4, 10},
		"the published example of 8 callers with 3": {8, 3, 17},
		"one each cannot deadlock":                  {100, 1, 1},
		"a caller alone needs what it holds":        {1, 5, 5},
		"no caller":                                 {0, 3, 0},
		"nothing held":                              {3, 0, 0},
		"negative callers":                          {-1, 3, 0},
		"negative connections":                      {3, -1, 0},
		"no overflow":                               {math.MaxInt, math.MaxInt, sizeCap},
		"no overflow with one each":                 {math.MaxInt, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, DeadlockFloor(c.callers, c.perCaller))
		})
	}
}

func TestFleetSizeIsAnEqualPartOfWhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct{ serverMax, reserved, instances, surge, want int }{
		"shared by all and the surge":     {100, 3, 4, 1, 19},
		"rounded down":                    {100, 0, 3, 0, 33},
		"exactly one each":                {5, 0, 4, 1, 1},
		"not even one each":               {4, 0, 4, 1, 0},
		"all of it reserved":              {10, 10, 1, 0, 0},
		"more reserved than there is":     {10, 20, 1, 0, 0},
		"no server":                       {0, 0, 1, 0, 0},
		"a negative limit":                {math.MinInt, 5, 1, 0, 0},
		"a negative reserve is none":      {10, math.MinInt, 1, 0, 10},
		"no instance is one":              {10, 0, 0, 0, 10},
		"negative instances are one":      {10, 0, -7, 0, 10},
		"a negative surge is none":        {10, 0, 2, -2, 5},
		"no overflow in what is left":     {math.MaxInt, math.MinInt, 1, 0, sizeCap},
		"no overflow in those who share":  {math.MaxInt, 0, math.MaxInt, math.MaxInt, 0},
		"the largest that does not round": {sizeCap, 0, 1, 0, sizeCap},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, FleetSize(c.serverMax, c.reserved, c.instances, c.surge))
		})
	}
}

func TestFleetSizeFitsAndOneMoreDoesNot(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		serverMax, reserved, instances, surge := 1+rnd.IntN(1000), rnd.IntN(50), 1+rnd.IntN(40), rnd.IntN(10)
		each := FleetSize(serverMax, reserved, instances, surge)
		all, left := instances+surge, max(serverMax-reserved, 0)
		require.LessOrEqual(t, each*all, left)
		require.Greater(t, (each+1)*all, left)
	}
}

func TestWorkloadKindsHaveNames(t *testing.T) {
	require.Equal(t, "web", Web.String())
	require.Equal(t, "batch", Batch.String())
	require.Equal(t, "real-time", RealTime.String())
	require.Equal(t, "serverless", Serverless.String())
	require.Equal(t, "WorkloadKind(4)", WorkloadKind(4).String())
	require.Equal(t, "WorkloadKind(-1)", WorkloadKind(-1).String())
}

func TestRecommendFollowsTheKindOfWorkload(t *testing.T) {
	const ms = time.Millisecond
	web := Workload{Rate: 100, Hold: 100 * ms}
	for name, c := range map[string]struct {
		w                         Workload
		minSize, maxSize, burst   int
		mentioned, notToMentioned string
	}{
		"web keeps the mean and bursts to the queue size": {
			w: web, minSize: 10, maxSize: QueueSize(100, 100*ms, 50*ms, 0.01), burst: 5,
			mentioned: "within the 1 % allowed",
		},
		"web with a patience of its own": {
			w:       Workload{Rate: 100, Hold: 100 * ms, MaxWait: 500 * ms, WaitRisk: 0.1},
			minSize: 10, maxSize: 11, burst: 1, mentioned: "longer than 500ms",
		},
		"a request with two connections asks for twice as many": {
			w:       Workload{Rate: 50, Hold: 100 * ms, ConnsPerRequest: 2, Callers: 5},
			minSize: 10, maxSize: 15, burst: 5, mentioned: "2 connections for 100ms, keep 10",
		},
		"real-time keeps all it will ever need": {
			w:       Workload{Kind: RealTime, Rate: 100, Hold: 100 * ms},
			minSize: QueueSize(100, 100*ms, ms, 0.001), maxSize: QueueSize(100, 100*ms, ms, 0.001),
			mentioned: "no dial is ever on the path",
		},
		"real-time of unknown demand keeps all too": {
			w: Workload{Kind: RealTime}, minSize: 10, maxSize: 10, mentioned: "default of 10",
		},
		"batch takes what the cores work on": {
			w:       Workload{Kind: Batch, Rate: 100, Hold: time.Second, ServerCores: 8, ServerSpindles: 1, Instances: 2},
			maxSize: 8, mentioned: "8 cores and 1 spindle do best with 17",
		},
		"batch takes no more than it needs": {
			w:       Workload{Kind: Batch, Rate: 5, Hold: time.Second, ServerCores: 8, ServerSpindles: 1},
			maxSize: 6, mentioned: "a fifth more", notToMentioned: "cores do best",
		},
		"batch on an unknown server follows its demand": {
			w: Workload{Kind: Batch, Rate: 10, Hold: time.Second}, maxSize: 12, mentioned: "MinSize is 0",
		},
		"batch of unknown demand follows the cores": {
			w: Workload{Kind: Batch, ServerCores: 8, ServerSpindles: 1}, maxSize: 17, mentioned: "Rate or Hold is not known",
		},
		"a part of the cores is at least one": {
			w: Workload{Kind: Batch, ServerCores: 1, Instances: 50}, maxSize: 1, mentioned: "1 for each of 50 instances",
		},
		"serverless opens one and keeps none alive": {
			w: Workload{Kind: Serverless, Rate: 3, Hold: 100 * ms}, maxSize: 1, mentioned: "frozen instance",
		},
		"serverless opens a second for a busier instance": {
			w: Workload{Kind: Serverless, Rate: 30, Hold: 100 * ms}, maxSize: 2, burst: 1, mentioned: "at most 2",
		},
		"serverless that needs two has no burst": {
			w: Workload{Kind: Serverless, ConnsPerRequest: 2, Callers: 1}, maxSize: 2, mentioned: "at most 2",
		},
		"nothing known is the pool's default": {
			maxSize: 10, mentioned: "default of 10",
		},
		"only the cores known": {
			w: Workload{ServerCores: 4, ServerSpindles: 1}, maxSize: 9, mentioned: "4 cores and 1 spindle",
		},
		"an unknown kind is web": {
			w:       Workload{Kind: 77, Rate: 100, Hold: 100 * ms},
			minSize: 10, maxSize: 15, burst: 5, mentioned: "burst",
		},
		"nonsense is not known": {
			w: Workload{
				Kind: -1, Rate: math.Inf(1), Hold: -1, MaxWait: -1, WaitRisk: math.NaN(), ServerMax: -1, Reserved: -1,
				Instances: -1, ServerCores: -1, ServerSpindles: -1, ConnsPerRequest: -1, Callers: -1,
			},
			maxSize: 10, mentioned: "default of 10",
		},
		"a demand beyond all bounds stops at the cap": {
			w:       Workload{Rate: math.MaxFloat64, Hold: math.MaxInt64},
			minSize: sizeCap, maxSize: sizeCap, mentioned: "beyond 1048576 connections",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Recommend(c.w)
			reasons := strings.Join(r.Reasons, "\n")
			require.Equal(t, []int{c.minSize, c.maxSize, c.burst}, []int{r.MinSize, r.MaxSize, r.Burst}, reasons)
			require.Contains(t, reasons, c.mentioned)
			if c.notToMentioned != "" {
				require.NotContains(t, reasons, c.notToMentioned)
			}
		})
	}
}

func TestRecommendSaysWhatStandsAgainstTheSize(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		w                Workload
		minSize, maxSize int
		reason           string
	}{
		"a fleet that fits": {
			Workload{Rate: 100, Hold: 100 * ms, ServerMax: 100, Reserved: 3, Instances: 4}, 10, 15,
			"The server takes 100 connections less 3 reserved, which is 19 for each of 4 instances and 1 more during a deployment.",
		},
		"a fleet that makes requests queue": {
			Workload{Rate: 40, Hold: 100 * ms, ServerMax: 30, Instances: 4}, 4, 6,
			"The fleet may open at most 6 each, the demand asks for 8: queueing will exceed 50ms for 10.5 % of the requests instead of 1 %; raise the server's limit or put a pooler in front.",
		},
		"a fleet that cannot keep up": {
			Workload{Rate: 100, Hold: 100 * ms, ServerMax: 30, Instances: 4}, 6, 6,
			"The fleet may open at most 6 each, the demand asks for 15 and keeps 10 in use: the queue will grow without end; raise the server's limit or put a pooler in front.",
		},
		"a fleet with less than one each": {
			Workload{Rate: 100, Hold: 100 * ms, ServerMax: 4, Instances: 4}, 1, 1,
			"There is not even one connection for each instance, so the server can refuse a pool of 1: raise the server's limit or put a pooler in front, or run fewer instances.",
		},
		"a fleet too small for a guess": {
			Workload{ServerMax: 10, Instances: 1}, 0, 5,
			"The fleet may open at most 5 each where 10 are wanted: raise the server's limit or put a pooler in front.",
		},
		"serverless beyond the server": {
			Workload{Kind: Serverless, Rate: 30, Hold: 100 * ms, ServerMax: 130, Instances: 100}, 0, 1,
			"The fleet may open at most 1 each where 2 are wanted: raise the server's limit or put a pooler in front.",
		},
		"a deadlock that a larger pool avoids": {
			Workload{Rate: 10, Hold: 10 * ms, ConnsPerRequest: 3, Callers: 8}, 3, 17,
			"8 callers, holding 3 connections each, can end up waiting for ever with fewer than 17, so the size is raised from 1 to that.",
		},
		"a deadlock that the server's limit forces": {
			Workload{Rate: 10, Hold: 10 * ms, ConnsPerRequest: 3, Callers: 8, ServerMax: 20}, 3, 10,
			"A pool of 10 can deadlock: 8 callers, holding 3 connections each, can end up waiting for ever with fewer than 17; let fewer run at once or hold fewer.",
		},
		"a deadlock that nobody can rule out": {
			Workload{Rate: 100, Hold: 100 * ms, ConnsPerRequest: 2}, 20, 26,
			"A request holds 2 connections and Callers is not known, so no size can be called safe from deadlock; set Callers.",
		},
		"one request that could not finish alone": {
			Workload{Kind: Serverless, ConnsPerRequest: 4}, 0, 4,
			"1 caller, holding 4 connections each, can end up waiting for ever with fewer than 4, so the size is raised from 2 to that.",
		},
		"pools that together overwhelm the cores": {
			Workload{Rate: 100, Hold: 100 * ms, ServerCores: 8, ServerSpindles: 1, Instances: 4}, 10, 15,
			"15 for each of 4 instances make 60 connections on a server whose cores do best with 17 at work: expect slower queries when all are busy at once.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Recommend(c.w)
			require.Contains(t, r.Reasons, c.reason, strings.Join(r.Reasons, "\n"))
			require.Equal(t, []int{c.minSize, c.maxSize}, []int{r.MinSize, r.MaxSize})
		})
	}
}

func TestRecommendAlwaysGivesAUsablePoolAndPlainSentences(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	ints := []int{math.MinInt, -1, 0, 1, 2, 3, 8, 100, 5000, math.MaxInt}
	floats := []float64{math.NaN(), math.Inf(-1), -1, 0, 1e-300, 1e-9, 0.01, 0.5, 1, 37, 1000, 1e6, 1e300, math.Inf(1)}
	spans := []time.Duration{math.MinInt64, -1, 0, 1, time.Microsecond, 30 * time.Millisecond, time.Second, time.Hour, math.MaxInt64}
	for range 300 {
		w := Workload{
			Kind: WorkloadKind(rnd.IntN(6) - 1),
			Rate: pick(rnd, floats), Hold: pick(rnd, spans), MaxWait: pick(rnd, spans), WaitRisk: pick(rnd, floats),
			ServerMax: pick(rnd, ints), Reserved: pick(rnd, ints), Instances: pick(rnd, ints),
			ServerCores: pick(rnd, ints), ServerSpindles: pick(rnd, ints),
			ConnsPerRequest: pick(rnd, ints), Callers: pick(rnd, ints),
		}
		requireUsable(t, w, Recommend(w))
		s := Stats{
			MaxSize: pick(rnd, ints), Size: rnd.IntN(100), Idle: rnd.IntN(100), InUse: rnd.IntN(100), Waiting: rnd.IntN(2),
			Acquires: uint64(max(pick(rnd, ints), 0)), Waits: uint64(rnd.IntN(3)), OldestLease: pick(rnd, spans),
		}
		requireUsable(t, w, s.Recommend(pick(rnd, spans), w))
	}
}

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }

func requireUsable(t *testing.T, w Workload, r Recommendation) {
	t.Helper()
	require.GreaterOrEqual(t, r.MinSize, 0, "%+v", w)
	require.GreaterOrEqual(t, r.Burst, 0, "%+v", w)
	require.GreaterOrEqual(t, r.MaxSize-r.Burst, max(r.MinSize, 1), "%+v", w)
	require.LessOrEqual(t, r.MaxSize, sizeCap, "%+v", w)
	require.NotEmpty(t, r.Reasons)
	for _, reason := range r.Reasons {
		require.Regexp(t, `^([A-Z0-9]|over 1e15).*\.$`, reason)
		require.NotRegexp(t, `NaN|Inf|%!|\n| -\d`, reason, "%+v", w)
	}
}

func TestStatsRecommendMeasuresWhatIsNotGiven(t *testing.T) {
	s := Stats{MaxSize: 40, Size: 40, Idle: 30, InUse: 10, Acquires: 60_000}
	measured := s.Recommend(10*time.Minute, Workload{})
	require.Equal(t, []int{10, 15, 5}, []int{measured.MinSize, measured.MaxSize, measured.Burst})
	require.Subset(t, measured.Reasons, []string{
		"60000 acquires in 10m0s are 100 a second on average; set Rate where the peak is higher.",
		"10 in use at 100 acquires a second are a mean hold of 100ms (Little's law).",
		"MaxSize is 40 now where 15 is recommended.",
		"30 of 40 open connections are idle, 25 of them beyond the recommended size.",
	})

	peak := s.Recommend(10*time.Minute, Workload{Rate: 300})
	require.Equal(t, 30, peak.MinSize, "the hold is measured at the measured rate, not at the peak's")

	given := Workload{Rate: 20, Hold: 50 * time.Millisecond}
	require.Equal(t, Recommend(given).MaxSize, s.Recommend(10*time.Minute, given).MaxSize)
}

func TestStatsRecommendCountsARequestOnce(t *testing.T) {
	s := Stats{InUse: 10, Acquires: 60_000}
	w := Workload{ConnsPerRequest: 2, Callers: 4}
	require.Equal(t, s.Recommend(10*time.Minute, Workload{}).MaxSize, s.Recommend(10*time.Minute, w).MaxSize)
}

func TestStatsRecommendReportsWhatItSaw(t *testing.T) {
	s := Stats{
		MaxSize: 10, Size: 10, InUse: 10, Waiting: 3, Acquires: 60_000, Waits: 600, Timeouts: 5, QueueFull: 1, ConnectErrors: 2,
		OldestLease: 5 * time.Minute, WaitTime: Histogram{Count: 600, Sum: 6 * time.Second},
	}
	require.Subset(t, s.Recommend(10*time.Minute, Workload{}).Reasons, []string{
		"Some callers were still waiting or went without, so this is what the pool could serve, less than what was asked of it: measure again after a change.",
		"600 acquires had to wait, against 60000 leases granted (1 %); the wait was 10ms on average.",
		"5 acquires timed out: the pool was too small, its connections were held too long, or the server was down.",
		"1 acquire failed because too many were waiting already (MaxWaiting).",
		"2 dials failed: a larger pool does not help while the server refuses.",
		"The oldest lease is 5m0s old: if it was not meant to be held so long, find it in Holders before giving the pool more.",
		"MaxSize is 10 now where 15 is recommended.",
	})
}

func TestStatsRecommendWithoutMeasurementIsRecommend(t *testing.T) {
	w := Workload{Rate: 100, Hold: 100 * time.Millisecond}
	for _, over := range []time.Duration{-time.Second, 0, time.Second} {
		r := Stats{InUse: 4}.Recommend(over, w)
		require.Equal(t, Recommend(w).MaxSize, r.MaxSize)
		require.Contains(t, r.Reasons[0], "nothing was measured")
	}
	require.Equal(t, 10, Stats{Acquires: 5, InUse: 4}.Recommend(0, Workload{}).MaxSize)
}

func TestStatsRecommendOfAQuietPoolFindsNothing(t *testing.T) {
	s := Stats{MaxSize: 15, Size: 12, Idle: 2, InUse: 10, Acquires: 60_000, OldestLease: time.Second}
	reasons := strings.Join(s.Recommend(10*time.Minute, Workload{}).Reasons, "\n")
	for _, finding := range []string{"had to wait", "timed out", "MaxWaiting", "failed", "oldest", "now where", "idle", "Some callers"} {
		require.NotContains(t, reasons, finding)
	}
}

func TestRecommendIsSilentAboutLimitsThatAreJustMet(t *testing.T) {
	w := Workload{Rate: 100, Hold: 100 * time.Millisecond, ConnsPerRequest: 1, Callers: 50}
	size := Recommend(w).MaxSize
	plain := len(Recommend(w).Reasons)

	w.ServerCores, w.ServerSpindles = 7, size-14
	require.Equal(t, size, CoresSize(w.ServerCores, w.ServerSpindles))
	require.Len(t, Recommend(w).Reasons, plain, "the cores do best with just so many")

	w.ServerMax, w.Instances = 2*size, 1
	require.Equal(t, size, FleetSize(w.ServerMax, 0, 1, 1))
	require.Len(t, Recommend(w).Reasons, plain+1, "the share of the server is said, and no shortage")

	w = Workload{Rate: 50, Hold: 100 * time.Millisecond, ConnsPerRequest: 2, Callers: 14}
	require.Equal(t, DeadlockFloor(14, 2), Recommend(w).MaxSize)
	require.Len(t, Recommend(w).Reasons, plain, "the floor is met without raising anything")
}
