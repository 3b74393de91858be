package row

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connpool/connpool/chaos/row/pool"
)

// Each row, run against this pool, as a test. The tests of the same number in
// the root module look at the same thing more closely, most of them with a clock
// of their own.

func TestFault01_ASecondReleaseDoesNothing(t *testing.T)                     { survives(t, 1) }
func TestFault02_OfTwoReleasesAtOnceOneWins(t *testing.T)                    { survives(t, 2) }
func TestFault03_UseAfterReleaseIsRefused(t *testing.T)                      { survives(t, 3) }
func TestFault04_NobodySleepsBesideAFreeConnection(t *testing.T)             { survives(t, 4) }
func TestFault05_ACancelAndAReleaseAtOnceLoseNothing(t *testing.T)           { survives(t, 5) }
func TestFault06_WaitersAreServedInOrder(t *testing.T)                       { survives(t, 6) }
func TestFault07_ACancelledWaiterReturnsAtOnce(t *testing.T)                 { survives(t, 7) }
func TestFault08_FiftyThousandWaitersAreCancelledWithinASecond(t *testing.T) { survives(t, 8) }
func TestFault09_NobodyBargesIn(t *testing.T)                                { survives(t, 9) }
func TestFault10_AHostileSchedulerChangesNothing(t *testing.T)               { survives(t, 10) }
func TestFault11_AHungDialIsAbandoned(t *testing.T)                          { survives(t, 11) }
func TestFault12_DialsOutliveTheirCallers(t *testing.T)                      { survives(t, 12) }
func TestFault13_APanickingFactoryIsAnError(t *testing.T)                    { survives(t, 13) }
func TestFault14_AFactoryThatExitsIsAnError(t *testing.T)                    { survives(t, 14) }
func TestFault15_APanickingHookCostsItsConnectionOnly(t *testing.T)          { survives(t, 15) }
func TestFault16_APanickingCloseIsCounted(t *testing.T)                      { survives(t, 16) }
func TestFault17_AHungCloseFreesItsSlot(t *testing.T)                        { survives(t, 17) }
func TestFault18_AFailedDialLeavesNobodyAsleep(t *testing.T)                 { survives(t, 18) }
func TestFault19_OneHungDialDoesNotStopTheOther(t *testing.T)                { survives(t, 19) }
func TestFault20_AFlappingFactoryLosesNoSlot(t *testing.T)                   { survives(t, 20) }
func TestFault21_ANilConnectionIsRefused(t *testing.T)                       { survives(t, 21) }
func TestFault22_AColdStormIsBounded(t *testing.T)                           { survives(t, 22) }
func TestFault23_ADeadServerIsSpared(t *testing.T)                           { survives(t, 23) }
func TestFault24_AFullServerServesWithWhatItHas(t *testing.T)                { survives(t, 24) }
func TestFault25_WithoutFilesItSaysSoAndRecovers(t *testing.T)               { survives(t, 25) }
func TestFault26_TerminatedSessionsFailNobody(t *testing.T)                  { survives(t, 26) }
func TestFault27_AKilledServerIsWaitedOut(t *testing.T)                      { survives(t, 27) }
func TestFault28_AFrozenServerHoldsNobody(t *testing.T)                      { survives(t, 28) }
func TestFault29_ABlackHoleIsNoticedInTime(t *testing.T)                     { survives(t, 29) }
func TestFault30_ABrokenReplyCostsItsConnection(t *testing.T)                { survives(t, 30) }
func TestFault31_CancelledQueriesKeepTheLimit(t *testing.T)                  { survives(t, 31) }
func TestFault32_WhatIsReturnedInTheMiddleIsDestroyed(t *testing.T)          { survives(t, 32) }
func TestFault33_AnUnreadReplyIsFoundBeforeReuse(t *testing.T)               { survives(t, 33) }
func TestFault34_AFailedResetDestroys(t *testing.T)                          { survives(t, 34) }
func TestFault35_AResetLeavesNothing(t *testing.T)                           { survives(t, 35) }
func TestFault36_ALateCancelHitsNobody(t *testing.T)                         { survives(t, 36) }
func TestFault37_WorkIsNotRunAgain(t *testing.T)                             { survives(t, 37) }
func TestFault38_NoSecretIsPrinted(t *testing.T)                             { survives(t, 38) }
func TestFault39_EndingTwiceIsCounted(t *testing.T)                          { survives(t, 39) }
func TestFault40_ANilContextHarmsNobody(t *testing.T)                        { survives(t, 40) }
func TestFault41_ADroppedLeaseIsReportedAndReclaimed(t *testing.T)           { survives(t, 41) }
func TestFault42_HooksMayCallThePool(t *testing.T)                           { survives(t, 42) }
func TestFault43_ABadConfigIsRefused(t *testing.T)                           { survives(t, 43) }
func TestFault44_ClosingWaitsForNoLeak(t *testing.T)                         { survives(t, 44) }
func TestFault45_AClosedPoolHandsOutNothing(t *testing.T)                    { survives(t, 45) }
func TestFault46_WhatWasDialledBeforeRetireIsNotLent(t *testing.T)           { survives(t, 46) }
func TestFault47_AResizeIsLive(t *testing.T)                                 { survives(t, 47) }
func TestFault48_TheReaperLosesNothing(t *testing.T)                         { survives(t, 48) }
func TestFault49_ACohortIsReplacedSpreadOut(t *testing.T)                    { survives(t, 49) }
func TestFault50_AStandstillEvictsNobody(t *testing.T)                       { survives(t, 50) }
func TestFault51_ItBuildsForOtherMachines(t *testing.T)                      { survives(t, 51) }
func TestFault52_ErrorsAreToldApart(t *testing.T)                            { survives(t, 52) }
func TestFault53_WritersLeaveADemotedServer(t *testing.T)                    { survives(t, 53) }
func TestFault54_ReadersLeaveADemotedServer(t *testing.T)                    { survives(t, 54) }
func TestFault55_AnotherSystemsOutageCostsNoSession(t *testing.T)            { survives(t, 55) }
func TestFault56_DeadAddressesOfANameAreGotOver(t *testing.T)                { survives(t, 56) }
func TestFault58_AServerThatIsGoneIsToldThoughASessionIsHeld(t *testing.T)   { survives(t, 58) }
func TestFault59_AWrongPasswordCostsFewLogins(t *testing.T)                  { survives(t, 59) }
func TestFault61_TheLastIdleSessionIsKeptAlive(t *testing.T)                 { survives(t, 61) }
func TestFault63_NoSettingOfSQLStarvesCallers(t *testing.T)                  { survives(t, 63) }
func TestFault64_CancelledQueriesOfSQLKeepTheLimit(t *testing.T)             { survives(t, 64) }
func TestFault66_AGoodbyeEndsItsConnection(t *testing.T)                     { survives(t, 66) }
func TestFault109_ConnectionsThatWaitTimeoutEndsFailNobody(t *testing.T)     { survives(t, 109) }
func TestFault110_KilledConnectionsFailNobody(t *testing.T)                  { survives(t, 110) }
func TestFault111_AServerWithFewerConnectionsServesAll(t *testing.T)         { survives(t, 111) }
func TestFault112_AReadOnlyMySQLIsLeft(t *testing.T)                         { survives(t, 112) }
func TestFault113_ACrashOfMySQLIsWaitedOut(t *testing.T)                     { survives(t, 113) }
func TestFault114_ALateResultReachesNobody(t *testing.T)                     { survives(t, 114) }
func TestFault115_WhatAProxyCutsFailsNobody(t *testing.T)                    { survives(t, 115) }

// survives runs a row against our pool. Rows that judge by time are tried once
// more.
func survives(t *testing.T, number int) {
	t.Helper()
	if testing.Short() {
		t.Skip("the rows take seconds each and need servers")
	}
	all := All()
	at := slices.IndexFunc(all, func(r Row) bool { return r.Number == number })
	require.GreaterOrEqual(t, at, 0, "there is no row %d", number)
	r := all[at]
	outcome := Run(t.Context(), r, pool.Ours)
	if outcome.Verdict == Failed && r.Timed {
		t.Logf("once more after: %s", outcome.Seen)
		outcome = Run(t.Context(), r, pool.Ours)
	}
	t.Log(outcome.Seen)
	if outcome.Verdict == Skipped {
		t.Skip(outcome.Seen)
	}
	require.Equal(t, Passed, outcome.Verdict, outcome.Seen)
}
