package tenancy

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// evidence is what DNS says of the proof of a domain.
type evidence int

const (
	unsure  evidence = iota // DNS did not answer
	found                   // it is there, maybe among others
	absent                  // there is no such record
	another                 // there are records, and none is it
)

// look asks DNS for the proof of a domain.
func (s *Domains) look(ctx context.Context, d Domain) evidence {
	if s.unproved(d.Domain) {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	values, err := s.DNS.LookupTXT(ctx, d.RecordName())
	switch {
	case err != nil:
		return unsure
	case slices.Contains(values, d.RecordValue()):
		return found
	case len(values) == 0:
		return absent
	}
	return another
}

// sentence tells a person why a domain is not proved.
func (e evidence) sentence(d Domain) string {
	switch e {
	case absent:
		return fmt.Sprintf("There is no TXT record at %s yet. DNS changes may take some minutes to be seen.", d.RecordName())
	case another:
		return fmt.Sprintf("The TXT record at %s has another value.", d.RecordName())
	}
	return fmt.Sprintf("DNS did not answer for %s. Please try again in a few minutes.", d.RecordName())
}
