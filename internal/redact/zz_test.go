package redact
import ("math/rand/v2";"testing";"strings";"fmt";"time";"os")
var toks = strings.Split("PASSWD|=|:|@|'|\"|\\|\\\"|{|}|;|&|?|/|//|://|amqp|user|secret|token|xxxxx|xxx|x| | |\n|AUTH|auth|[|]|(|)|,|.|1|5432|tcp(|@/|host|Authorization|: Bearer |Digest |`|'; |invalid port \"|\": invalid port \":|\": invalid URL escape \"|%z|hello 3 auth |é|\xff|_key|api|<|>|#|$|a|ab", "|")
func TestZZ(t *testing.T){
	end := time.Now().Add(30*time.Second); n:=0; maxp:=0; leaks:=map[string]int{}
	r := rand.New(rand.NewPCG(uint64(os.Getpid()),2))
	gen := func(k int) string { var b strings.Builder; for range r.IntN(k) { b.WriteString(toks[r.IntN(len(toks))]) }; return b.String() }
	for time.Now().Before(end) { n++
		s := gen(40)
		p:=0; u:=s
		for { v:=pass(u); p++; if v==u {break}; u=v; if p>50 { t.Fatalf("no end %q",s) } }
		if p>maxp { maxp=p; fmt.Printf("%d passes %q\n",p,s) }
		sec := gen(10)
		for i,d := range dsns { if d.fits(sec) { h:=Text(d.with(sec)); if strings.Contains(h,sec) { k:=fmt.Sprint(i); leaks[k]++; if leaks[k]<4 { fmt.Printf("LEAK %d %q: %q -> %q\n", i, sec, d.with(sec), h) } } } }
		pl := withoutMarks(s); if Text(pl)!=pl { t.Fatalf("%q",pl)}
	}
	fmt.Println(n,maxp,leaks)
}
