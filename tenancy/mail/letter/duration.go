package letter

import (
	"fmt"
	"time"
)

// unit is a length of time with its names for one and for many.
type unit struct {
	length    time.Duration
	one, many string
}

var units = map[string][]unit{
	"en": {{24 * time.Hour, "day", "days"}, {time.Hour, "hour", "hours"}, {time.Minute, "minute", "minutes"}},
	"de": {{24 * time.Hour, "Tag", "Tage"}, {time.Hour, "Stunde", "Stunden"}, {time.Minute, "Minute", "Minuten"}},
}

// Duration is a length of time in words, in the largest unit that says it exactly: "24 hours" is "1 day".
func Duration(locale string, d time.Duration) string {
	in, ok := units[language(locale)]
	if !ok {
		in = units["en"]
	}
	for _, u := range in {
		n := d / u.length
		if n > 0 && (d%u.length == 0 || u.length == time.Minute) {
			if n == 1 {
				return "1 " + u.one
			}
			return fmt.Sprintf("%d %s", n, u.many)
		}
	}
	return fmt.Sprintf("1 %s", in[len(in)-1].one)
}
