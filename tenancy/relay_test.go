package tenancy

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// relay is the network between the service and Postgres, which can be cut without a word of farewell.
type relay struct {
	url string

	mu    sync.Mutex
	conns []net.Conn
	still sync.RWMutex // held for writing: nothing passes, and nobody is told
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	u, err := url.Parse(to)
	check(t, err)
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	u.Host = listener.Addr().String()
	r := &relay{url: u.String()}
	t.Cleanup(func() { _ = listener.Close(); r.cut() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, client, upstream)
			r.mu.Unlock()
			go r.pass(upstream, client)
			go r.pass(client, upstream)
		}
	}()
	return r
}

func (r *relay) pass(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.still.RLock()
		if n > 0 {
			_, err = to.Write(buffer[:n])
		}
		r.still.RUnlock()
		if err != nil {
			return
		}
	}
}

// freeze loses everything on its way until the thaw, as a dropped entry of a firewall does.
func (r *relay) freeze() (thaw func()) {
	r.still.Lock()
	return sync.OnceFunc(r.still.Unlock)
}

// cut ends all connections there are; new ones may be made.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an end
		}
		_ = c.Close()
	}
	r.conns = nil
}
