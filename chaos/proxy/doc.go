// Package proxy is a TCP proxy that misbehaves on demand, in process.
//
//	p, err := proxy.Start(server.Addr())
//	defer p.Close()
//	conn, err := net.Dial("tcp", p.Addr())
//	err = p.Set(proxy.Fault{BlackHole: true}) // present connections and later ones
//	err = p.Set(proxy.Fault{})                // healed
//
// A client sees what it would see of a bad network or a dying server: delays,
// silence, a reset, a refusal, half a reply, or a reply in pieces. Loss and
// reordering of packets are not among them: a proxy has no packets.
package proxy
