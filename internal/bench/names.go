package main

import (
	"net"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer is a DNS server on loopback that knows the TXT records it is told, so that domains can be proved.
type nameServer struct {
	address string
	conn    *net.UDPConn
	mu      sync.Mutex
	records map[string]string // by name with its final dot
}

func serveNames() (*nameServer, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	n := &nameServer{address: conn.LocalAddr().String(), conn: conn, records: map[string]string{}}
	go n.serve()
	return n, nil
}

func (n *nameServer) stop() { _ = n.conn.Close() }

func (n *nameServer) set(name, value string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[name+"."] = value
}

func (n *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(buf)
		if err != nil {
			return // stopped
		}
		if answer, err := n.answer(buf[:size]); err == nil {
			_, _ = n.conn.WriteTo(answer, from)
		}
	}
}

func (n *nameServer) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		n.mu.Lock()
		value, ok := n.records[q.Name.String()]
		n.mu.Unlock()
		if !ok || q.Type != dnsmessage.TypeTXT {
			m.RCode = dnsmessage.RCodeNameError
			continue
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.TXTResource{TXT: []string{value}},
		})
	}
	return m.Pack()
}
