package redact
import ("testing";"strings";"time";"math/rand/v2")
func TestYY(t *testing.T){
 for _,c := range []string{"Pwd=a;","password='","AUTH ","AUTH x ","://a:","://u:b@","amqp://u:p@h ","password={a}b","user:","\":invalid port \":","password=","a b c ","passwordpassword", "pwd:a ","[auth ", "password='x' ", "\"a://"} {
  s:=strings.Repeat(c, 100000/len(c)); p:=0; st:=time.Now(); for { v:=pass(s); p++; if v==s {break}; s=v }
  t.Logf("%-20q %d passes %v", c,p,time.Since(st))
 }
 mp:=0; r:=rand.New(rand.NewPCG(1,2))
 for range 300 { var b strings.Builder; for range 2000 { b.WriteString(toks[r.IntN(len(toks))]) }; s:=b.String(); p:=0; for { v:=pass(s); p++; if v==s {break}; s=v}; if p>mp {mp=p} }
 t.Log("max passes long random", mp)
}
func BenchmarkPlain(b *testing.B){ for b.Loop() { Text("dial tcp 127.0.0.1:5432: connect: connection refused") } }
func BenchmarkSecret(b *testing.B){ for b.Loop() { Text("connect: parse \"postgres://user:secret@host:5432/db?sslmode=off\": net/url: invalid userinfo") } }
