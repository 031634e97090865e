// Package zonetest is a DNS server on loopback for tests, which say what it knows and how it fails.
//
// It answers by UDP and TCP as a resolver would: an answer that does not fit a packet is cut off there, and a CNAME comes
// with what is at its end.
package zonetest

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Zone is a running server.
type Zone struct {
	Address string // host:port

	mu      sync.Mutex
	txt     map[string][][]string // by name without the final dot; a record is one or more strings
	aliases map[string]string
	codes   map[string]int  // names that are answered with an error
	mute    map[string]bool // names about which nothing is answered
	asked   map[string]int
}

// Start starts a server for the time of the test.
func Start(t testing.TB) *Zone {
	t.Helper()
	z := &Zone{txt: map[string][][]string{}, aliases: map[string]string{}, codes: map[string]int{}, mute: map[string]bool{}, asked: map[string]int{}}
	packets, streams := bothKinds(t)
	z.Address = packets.LocalAddr().String()
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: z}, {Listener: streams, Handler: z}} {
		var started, done sync.WaitGroup
		started.Add(1)
		s.NotifyStartedFunc = started.Done
		done.Go(func() { _ = s.ActivateAndServe() })
		started.Wait()
		t.Cleanup(func() { _ = s.Shutdown(); done.Wait() })
	}
	return z
}

// bothKinds listens for packets and, on the same port, for streams, which carry the answers that fit no packet. A port
// that is free for one may be taken for the other.
func bothKinds(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // binds at once
		if err != nil {
			t.Fatal(err)
		}
		if streams, err := net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			return packets, streams
		}
		_ = packets.Close()
	}
	t.Fatal("no port is free for both packets and streams")
	return nil, nil
}

// ServeDNS answers what the zone knows.
func (z *Zone) ServeDNS(w dns.ResponseWriter, asked *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name := strings.TrimSuffix(asked.Question[0].Name, ".")
	z.asked[name]++
	if z.mute[name] {
		return
	}
	answer := new(dns.Msg)
	answer.SetReply(asked)
	answer.Authoritative, answer.RecursionAvailable = true, true
	z.fill(answer, name, asked.Question[0].Qtype)
	if _, packet := w.RemoteAddr().(*net.UDPAddr); packet {
		answer.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(answer)
}

func (z *Zone) fill(answer *dns.Msg, name string, kind uint16) {
	header := func(kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name + ".", Rrtype: kind, Class: dns.ClassINET}
	}
	for range len(z.aliases) { // an alias of itself has an end, too
		to, ok := z.aliases[name]
		if !ok {
			break
		}
		answer.Answer = append(answer.Answer, &dns.CNAME{Hdr: header(dns.TypeCNAME), Target: to + "."})
		name = to
	}
	records, exists := z.txt[name]
	switch code := z.codes[name]; {
	case code != 0:
		answer.Rcode = code
	case !exists:
		answer.Rcode = dns.RcodeNameError
	case kind == dns.TypeTXT:
		for _, strings := range records {
			answer.Answer = append(answer.Answer, &dns.TXT{Hdr: header(dns.TypeTXT), Txt: strings})
		}
	}
}

// Publish puts TXT records at a name, each of one or more strings, and ends every failure there; none at all makes a name
// without such records.
func (z *Zone) Publish(name string, records ...[]string) {
	z.set(name, func() { z.txt[name] = records })
}

// Withdraw makes a name that does not exist.
func (z *Zone) Withdraw(name string) { z.set(name, func() { delete(z.txt, name) }) }

// Alias puts a CNAME at a name.
func (z *Zone) Alias(name, to string) { z.set(name, func() { z.aliases[name] = to }) }

// Fail answers questions about a name with an error.
func (z *Zone) Fail(name string, code int) { z.set(name, func() { z.codes[name] = code }) }

// Silence leaves questions about a name without an answer.
func (z *Zone) Silence(name string) { z.set(name, func() { z.mute[name] = true }) }

// set changes what is said of a name, and ends how it failed.
func (z *Zone) set(name string, change func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.codes, name)
	delete(z.mute, name)
	change()
}

// Asked is how often a name was asked about.
func (z *Zone) Asked(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name]
}
