package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// Log is a tenant's audit log for those who may read it.
type Log struct {
	DB      *tenancy.DB
	Keyring *tenancy.Keyring
	Signer  custody.Custodian
	Now     func() time.Time
}

// Filter says which entries are wanted; what is empty does not filter. From is the first moment, To the first one after.
type Filter struct {
	ActorID, ResourceType, ResourceID string
	Action                            Action
	Without                           Action // that is left out
	From, To                          time.Time
}

// Place is where an entry stands in a list, which is by time: an entry that was waited for stands where it happened.
type Place struct {
	At  time.Time
	Seq int64
}

// String is the place as a cursor carries it.
func (p Place) String() string {
	return strconv.FormatInt(p.At.UnixMicro(), 10) + " " + strconv.FormatInt(p.Seq, 10)
}

var errPlace = errors.New("audit: not a place in a list")

// ParsePlace reads what String wrote.
func ParsePlace(s string) (p Place, err error) {
	at, seq, _ := strings.Cut(s, " ")
	micros, errAt := strconv.ParseInt(at, 10, 64)
	p.Seq, err = strconv.ParseInt(seq, 10, 64)
	if p.At = time.UnixMicro(micros).UTC(); errors.Join(errAt, err) != nil || p.At.Year() < 1970 || p.At.Year() > 9999 {
		return Place{}, errPlace
	}
	return p, nil
}

// Listed is an entry in a list. It is read from the text that the chain is made of and not from the columns beside it,
// which are to search by and which no hash covers.
type Listed struct {
	Entry

	Metadata json.RawMessage `json:"metadata"`
	Place    Place           `json:"-"`
}

// List is a page of the log, newest first; before is the last place of the page before.
func (l *Log) List(ctx context.Context, t tenancy.Tenant, f Filter, before Place, limit int) (all []Listed, err error) {
	err = l.DB.InBatch(ctx, t, func(b *tenancy.Batch) { listEntries(b, f, before, limit, &all) })
	return all, err
}
