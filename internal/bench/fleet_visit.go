package main

import (
	"math/rand/v2"
	"slices"
)

// visited is how the tenants of a stretch are chosen.
type visited string

const (
	uniformly visited = "uniformly"
	// zipf has few tenants visited often and most of them seldom, as it is in life: the k-th most popular one has a
	// share that falls with k to the power of s.
	zipf visited = "Zipf"
)

const zipfS = 1.1

// popularity is of this seed in every round and run, so that the same tenants stay popular.
const popularitySeed = 11

// draw is which of n tenants are visited by one request after the other.
func draw(how visited, n, times int, seed uint64) []int {
	random := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // a choice, not a secret
	next := func() int { return random.IntN(n) }
	if how == zipf {
		// Popular ones are anywhere in the order they were made in, hence in every database.
		ranks := rand.New(rand.NewPCG(popularitySeed, uint64(n))).Perm(n) //nolint:gosec // likewise
		popular := rand.NewZipf(random, zipfS, 1, uint64(n-1))            //nolint:gosec // n is positive
		next = func() int { return ranks[popular.Uint64()] }
	}
	return slices.Collect(func(yield func(int) bool) {
		for range times {
			if !yield(next()) {
				return
			}
		}
	})
}
