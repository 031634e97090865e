package policyadmin

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/identity/policy"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/tenancy"
)

type affection struct {
	user   id.User
	change Change
}

// rehearser goes through the log once, and remembers of what it has passed what rules can ask for.
type rehearser struct {
	store      *Store
	tenant     tenancy.Tenant
	set        *policy.Set
	enrollable []string

	since, until time.Time
	seen         Rehearsal
	people       map[id.User]*policy.Subject // nil: there is nobody of this id
	affected     map[affection]*Affected
	devices      map[string]time.Time    // by user and device: when it signed in last
	failures     map[id.User][]time.Time // of the last day
}

// pastLogin is a login of the audit log.
type pastLogin struct {
	seq       int64
	at        time.Time
	user      id.User
	succeeded bool
	metadata  struct {
		Network string   `json:"network"`
		AMR     []string `json:"amr"`
		Method  string   `json:"method"`
		Agent   string   `json:"agent"`
		Device  string   `json:"device"`
		Reason  string   `json:"reason"`
	}
}

func (r *rehearser) run(ctx context.Context, tell func(done, all int)) error {
	began, from := time.Now(), r.since
	if r.set.Asks() { // what was before counts for what is known of users
		from = from.Add(-policy.DeviceMemory)
	}
	total := 0
	if err := r.store.DB.InBatch(ctx, r.tenant, func(b *tenancy.Batch) { countLogins(b, from, r.until, &total) }); err != nil {
		return err
	}
	last, done := pastLogin{at: from}, 0
	for {
		var page []pastLogin
		if err := r.store.DB.InBatch(ctx, r.tenant, func(b *tenancy.Batch) { readLogins(b, last, r.until, rehearsalPage, &page) }); err != nil {
			return err
		}
		if err := r.meet(ctx, page); err != nil {
			return err
		}
		for _, l := range page {
			r.take(l)
		}
		done += len(page)
		tell(done, total)
		if len(page) < rehearsalPage {
			r.seen.Complete, r.seen.To = true, r.until
			return nil
		}
		last = page[len(page)-1]
		if time.Since(began) > rehearsalTime {
			r.seen.To = last.at
			return nil
		}
	}
}

// meet reads the users of a page who have not been met.
func (r *rehearser) meet(ctx context.Context, page []pastLogin) error {
	var unmet []id.User
	for _, l := range page {
		if _, met := r.people[l.user]; !met && !l.user.IsZero() {
			r.people[l.user] = nil
			unmet = append(unmet, l.user)
		}
	}
	if len(unmet) == 0 {
		return nil
	}
	return r.store.DB.InBatch(ctx, r.tenant, func(b *tenancy.Batch) { readSubjects(b, unmet, r.people) })
}

// take puts one login to the draft.
func (r *rehearser) take(l pastLogin) {
	counts := l.at.After(r.since) && (l.succeeded || l.metadata.Reason == "policy_denied")
	if who := r.people[l.user]; counts && (who == nil || l.metadata.Method == "") {
		r.seen.Skipped++
	} else if counts {
		r.seen.Logins++
		r.judge(l, *who)
	}
	r.remember(l)
}

// remember keeps of a login what later ones are judged by.
func (r *rehearser) remember(l pastLogin) {
	if !r.set.Asks() {
		return
	}
	if l.succeeded {
		r.devices[l.user.String()+l.metadata.Device] = l.at
		return
	}
	recent := slices.DeleteFunc(r.failures[l.user], func(at time.Time) bool { return at.Before(l.at.AddDate(0, 0, -1)) })
	r.failures[l.user] = append(recent, l.at)
}

func (r *rehearser) standing(l pastLogin) policy.Standing {
	known, ok := r.devices[l.user.String()+l.metadata.Device]
	failures := 0
	for _, at := range r.failures[l.user] {
		if at.After(l.at.AddDate(0, 0, -1)) {
			failures++
		}
	}
	return policy.Standing{KnownDevice: ok && known.After(l.at.Add(-policy.DeviceMemory)), FailuresLastDay: failures}
}

// judge compares what came of a login with what would have come of it.
func (r *rehearser) judge(l pastLogin, who policy.Subject) {
	q := policy.Question{Tenant: r.tenant.ID, Slug: string(r.tenant.Slug), Action: policy.Login, Subject: who, Context: policy.Context{
		Now: l.at, Method: l.metadata.Method, AMR: l.metadata.AMR, Agent: l.metadata.Agent, Standing: r.standing(l)}}
	first, last := ends(l.metadata.Network)
	q.Context.IP = first
	got, methods, v := r.set.Outcome(q, r.enrollable)
	if last != first && r.set.AsksAddress() {
		q.Context.IP = last
		if r.set.Decide(q).Permitted != (got == policy.Permit) {
			r.seen.Uncertain++
			r.note(l, who, Uncertain, nil, v)
			return
		}
	}
	switch {
	case l.succeeded && got == policy.Deny:
		r.seen.Denied++
		r.note(l, who, Denied, nil, v)
	case l.succeeded && got != policy.Permit:
		r.seen.Asked++
		r.note(l, who, Asked, methods, v)
	case !l.succeeded && got == policy.Permit:
		r.seen.Permitted++
		r.note(l, who, Permitted, nil, v)
	default:
		r.seen.Unchanged++
	}
}

// ends are the first and the last address of a network; two zero addresses where there is none.
func ends(network string) (first, last netip.Addr) {
	p, err := netip.ParsePrefix(network)
	if err != nil {
		return first, last
	}
	bytes := p.Addr().AsSlice()
	for i := range bytes {
		for bit := range 8 {
			if i*8+bit >= p.Bits() {
				bytes[i] |= 0x80 >> bit
			}
		}
	}
	last, _ = netip.AddrFromSlice(bytes)
	return p.Addr(), last
}

func (r *rehearser) note(l pastLogin, who policy.Subject, c Change, methods []string, v policy.Verdict) {
	key := affection{l.user, c}
	a := r.affected[key]
	if a == nil {
		a = &Affected{User: l.user, Email: who.Email, Change: c}
		r.affected[key] = a
	}
	a.Logins++
	a.Last, a.Methods, a.Notices, a.Rules = l.at, methods, v.Notices(r.tenant.Locale), v.Determining
}

func (r *rehearser) result() Rehearsal {
	r.seen.From = r.since
	for _, a := range r.affected {
		r.seen.Users = append(r.seen.Users, *a)
	}
	slices.SortFunc(r.seen.Users, func(a, b Affected) int {
		return cmp.Or(cmp.Compare(b.Logins, a.Logins), cmp.Compare(a.Email, b.Email), cmp.Compare(a.Change, b.Change))
	})
	if n := len(r.seen.Users); n > mostAffected {
		r.seen.Users, r.seen.Omitted = r.seen.Users[:mostAffected], n-mostAffected
	}
	return r.seen
}

// parse reads the entry of a login.
func (l *pastLogin) parse(entry string) error {
	var e struct {
		Metadata any `json:"metadata"`
	}
	e.Metadata = &l.metadata
	return json.Unmarshal([]byte(entry), &e)
}
