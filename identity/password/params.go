package password

import "fmt"

// Params is what one argon2id hash costs.
type Params struct {
	Memory      uint32 // KiB
	Time        uint32 // passes over the memory
	Parallelism uint8  // lanes
}

// DefaultParams is the OWASP Password Storage minimum for one lane: 19 MiB, two passes.
var DefaultParams = Params{Memory: 19456, Time: 2, Parallelism: 1}

// Bounds of stored hashes, wide enough for what other systems write and narrow enough for one slot of a Gate.
const (
	minMemory = 4 << 10   // KiB; Spring Security wrote 4 MiB until 5.8
	maxMemory = 256 << 10 // KiB; libsodium MODERATE
	maxTime   = 10        // passes
	maxLanes  = 8         // argon2-cffi wrote 8 lanes until 21.1; each is a goroutine
	maxCost   = 768 << 10 // KiB times passes; libsodium MODERATE, twenty times the default
)

// check answers whether a stored hash with these parameters may be verified.
func (p Params) check() error {
	if p.Memory < minMemory || p.Memory > maxMemory || p.Time < 1 || p.Time > maxTime ||
		p.Parallelism < 1 || p.Parallelism > maxLanes || p.Memory*p.Time > maxCost {
		return fmt.Errorf("password: argon2id parameters out of bounds: m=%d,t=%d,p=%d", p.Memory, p.Time, p.Parallelism)
	}
	return nil
}

// floor answers whether new hashes may be made with these parameters: at least one row of the equivalent minimums of
// the OWASP Password Storage Cheat Sheet and ASVS 5.0 appendix C (46 MiB once, 19 MiB twice, 12 MiB three times).
func (p Params) floor() error {
	if err := p.check(); err != nil {
		return err
	}
	if p.Memory >= 46<<10 || p.Memory >= 19<<10 && p.Time >= 2 || p.Memory >= 12<<10 && p.Time >= 3 {
		return nil
	}
	return fmt.Errorf("password: argon2id parameters below the floor: m=%d,t=%d", p.Memory, p.Time)
}
