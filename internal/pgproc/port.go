package pgproc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePort picks a port below the range that systems hand to outgoing connections. A port of that range could be taken by
// someone's client socket while the server restarts.
func freePort() (int, error) {
	for range 100 {
		port := 15000 + rand.IntN(17000) //nolint:gosec // nothing secret about a port
		if portFree(port) == nil {
			return port, nil
		}
	}
	return 0, errors.New("no free port for Postgres found on 127.0.0.1")
}

// portFree is only a hint: the port can be taken between this check and the server's own bind, which then decides.
func portFree(port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("cannot start Postgres: port %d on 127.0.0.1 is taken by another program", port)
	}
	return l.Close()
}
