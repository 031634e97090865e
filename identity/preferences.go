package identity

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // the zones of this program and not of the machine: all replicas know the same

	"github.com/gatehouse-id/gatehouse/internal/strictjson"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

// Preferences are how a user wants dates, times and words to look; nil is unsaid. They are for whoever shows something to
// the user.
type Preferences struct {
	Locale     *string `json:"locale"`   // BCP 47
	TimeZone   *string `json:"timezone"` // IANA
	DateFormat *string `json:"date_format"`
	TimeFormat *string `json:"time_format"`
}

// PreferencesChange is what a user changes of them: what is not set stays, and null takes away.
type PreferencesChange struct {
	Locale, TimeZone, DateFormat, TimeFormat strictjson.Optional[string]
}

// Preferences are those of the caller.
func (s *Profiles) Preferences(ctx context.Context, by Caller) (p Preferences, err error) {
	err = s.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { readPreferences(b, by.User.ID, &p) })
	return p, err
}

// ChangePreferences changes those of the caller.
func (s *Profiles) ChangePreferences(ctx context.Context, by Caller, c PreferencesChange) (p Preferences, err error) {
	err = s.DB.InBatch(ctx, by.Tenant, func(b *tenancy.Batch) { updatePreferences(b, by.User.ID, c, &p) })
	return p, err
}

// zoneName is how names in the IANA database are spelled. The machine may have other files beside them (posixrules,
// right/UTC), which are no names.
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*){0,2}$`)

var errTimeZone = errors.New("must be the name of a time zone such as Europe/Berlin")

func parseTimeZone(s string) (string, error) {
	if len(s) > 64 || !zoneName.MatchString(s) || s == "Local" || s == "Factory" {
		return "", errTimeZone
	}
	if _, err := time.LoadLocation(s); err != nil {
		return "", errTimeZone
	}
	return s, nil
}

// A format is one of the usual lengths or a pattern: year, month and day, each once, or hour, minute and perhaps second.
var (
	dateParts  = regexp.MustCompile(`^(YYYY|YY|yyyy|yy|y|MMMM|MMM|MM|M|DD|D|dd|d)([-./,] ?| )?`)
	timeFormat = regexp.MustCompile(`^(12h|24h|(HH|H)[:.]mm([:.]ss)?|(hh|h)[:.]mm([:.]ss)? ?[aA])$`)
)

var (
	errDateFormat = errors.New("must be short, medium, long, full, iso or a pattern such as YYYY-MM-DD")
	errTimeFormat = errors.New("must be 12h, 24h or a pattern such as HH:mm")
)

func parseDateFormat(s string) (string, error) {
	switch s {
	case "short", "medium", "long", "full", "iso":
		return s, nil
	}
	seen, rest := "", s
	for rest != "" && len(seen) < 3 {
		part := dateParts.FindStringSubmatch(rest)
		if part == nil || strings.Contains(seen, strings.ToUpper(part[1][:1])) {
			return "", errDateFormat
		}
		seen += strings.ToUpper(part[1][:1])
		rest = rest[len(part[0]):]
		if (rest == "") != (part[2] == "") { // parts stand apart, and nothing follows the last
			return "", errDateFormat
		}
	}
	if rest != "" || len(seen) != 3 {
		return "", errDateFormat
	}
	return s, nil
}

func parseTimeFormat(s string) (string, error) {
	if !timeFormat.MatchString(s) {
		return "", errTimeFormat
	}
	return s, nil
}
