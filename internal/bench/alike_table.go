package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// What was promised of answers that must be alike.
const (
	mostApart      = 2.0  // ms between medians, or
	mostApartShare = 0.05 // of the median
	mostAUC        = 0.55 // how often the slower of two answers, one of each class, is of the class that is slower as a rule
)

// likeness is how far a class is from the first of its comparison.
type likeness struct {
	median, apart, share, auc float64
	noise                     float64 // what the AUC of two classes that are the same stays within, 19 times of 20
	met                       bool
}

func newLikeness(base, other []time.Duration) likeness {
	one := millis(quantile(base, 0.5))
	l := likeness{median: millis(quantile(other, 0.5)), auc: auc(base, other)}
	l.apart = math.Abs(l.median - one)
	l.share = l.apart / one
	n, m := float64(len(base)), float64(len(other))
	l.noise = 0.5 + 1.96*math.Sqrt((n+m+1)/(12*n*m))
	l.met = (l.apart <= mostApart || l.share <= mostApartShare) && l.auc <= mostAUC
	return l
}

// auc is the chance that somebody who is shown one time of each class says rightly which is which: 0.5 is a guess.
func auc(a, b []time.Duration) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0.5
	}
	sorted := slices.Sorted(slices.Values(a))
	won := 0.0
	for _, x := range b {
		below, _ := slices.BinarySearch(sorted, x)
		upTo, _ := slices.BinarySearch(sorted, x+1)
		won += float64(below) + float64(upTo-below)/2
	}
	won /= float64(len(a) * len(b))
	return max(won, 1-won)
}

// printAlike writes the comparisons for people.
func printAlike(out io.Writer, all []*comparison) {
	for _, c := range all {
		var t table
		t.row(c.name, "times", "median ms", "apart ms", "apart", "AUC", "noise to", "")
		for _, k := range c.classes {
			l := newLikeness(c.took[c.classes[0].name], c.took[k.name])
			verdict := "alike"
			if !l.met {
				verdict = "APART"
			}
			t.row(k.name, strconv.Itoa(len(c.took[k.name])), fmt.Sprintf("%.2f", l.median), fmt.Sprintf("%.2f", l.apart),
				fmt.Sprintf("%.1f %%", 100*l.share), fmt.Sprintf("%.3f", l.auc), fmt.Sprintf("%.3f", l.noise), verdict)
		}
		t.print(out)
	}
	fmt.Fprintf(out, "\nalike: medians within %.0f ms or %.0f %%, AUC at most %.2f\n", mostApart, 100*mostApartShare, mostAUC)
}
