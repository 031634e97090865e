package breach

import (
	"errors"
	"math"
)

// mostProbes is more than any rate below asks for.
const mostProbes = 32

// Rates that a filter can be made for: a rate of false alarms.
const (
	leastRate = 1e-6
	mostRate  = 0.1
)

// errRate is a rate outside of these.
var errRate = errors.New("breach: the rate of false alarms must be from 0.000001 to 0.1")

// plan is how many blocks and probes make a filter of n hashes with a rate of false alarms, the smallest one that does.
func plan(n uint64, rate float64) (blocks uint64, probes uint32, err error) {
	if !(rate >= leastRate && rate <= mostRate) {
		return 0, 0, errRate
	}
	for each := 4.0; ; each += 0.25 { // bits of the filter for each hash
		for k := uint32(1); k <= mostProbes; k++ {
			if falseAlarms(blockBits/each, k) <= rate {
				return max(1, uint64(math.Ceil(float64(n)*each/blockBits))), k, nil
			}
		}
	}
}

// falseAlarms is the rate when blocks have so many hashes on average: those of a block are Poisson distributed, and a block
// of n hashes has each bit clear with probability (1 - 1/512)^(n k).
func falseAlarms(mean float64, probes uint32) float64 {
	rate, poisson := 0.0, math.Exp(-mean)
	for n := 0.0; n < mean+12*math.Sqrt(mean)+20; n++ {
		unset := math.Pow(1-1.0/blockBits, n*float64(probes))
		rate += poisson * math.Pow(1-unset, float64(probes))
		poisson *= mean / (n + 1)
	}
	return rate
}
