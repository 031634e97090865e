package identity

import (
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
)

// WouldRemain reports whether the caller, under other rules, could sign in as they did, stay so and do an operation. If not,
// notices are what those rules have to say. A key is governed by its scopes and always remains.
func (c Caller) WouldRemain(set *policy.Set, operation string, s Scope, now time.Time) (ok bool, notices []string) {
	if c.Key != nil {
		return true, nil
	}
	j := Judge{Now: func() time.Time { return now }}
	q := j.call(c, operation, s)
	q.Context.Standing.KnownDevice = true // it will be, by then
	for _, a := range []policy.Action{policy.CallAPI, policy.Login, policy.Refresh} {
		q.Action = a
		if v := set.Decide(q); !v.Permitted && (a != policy.Login || !set.Decide(q.With("otp", "mfa")).Permitted && !set.Decide(q.With("hwk", "user", "mfa")).Permitted) {
			return false, v.Notices()
		}
	}
	return true, nil
}
