package pages

import (
	"net/http"
	"strconv"
	"time"
)

// rehearsalPage is a draft, and what it would have done to the logins that were.
type rehearsalPage struct {
	policyForm // with an id it is rehearsed in place of that policy, and without as one more

	Days   string
	Result *rehearsal
}

// rehearsal is the answer.
type rehearsal struct {
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Complete  bool      `json:"complete"`
	Logins    int       `json:"logins"`
	Unchanged int       `json:"unchanged"`
	Denied    int       `json:"denied"`
	Asked     int       `json:"asked"`
	Permitted int       `json:"permitted"`
	Uncertain int       `json:"uncertain"`
	Users     []struct {
		User    string    `json:"user_id"`
		Email   *string   `json:"email"`
		Change  string    `json:"change"`
		Logins  int       `json:"logins"`
		Last    time.Time `json:"last_at"`
		Notices []string  `json:"notices"`
	} `json:"users"`
	Omitted int `json:"users_omitted"`
}

// askRehearsal begins with a stored policy, or with a blank page.
func (v *visit) askRehearsal() error {
	page := rehearsalPage{Days: "30"}
	page.Enabled, page.Priority, page.Mode = true, "0", "shadow"
	if v.one() != "" {
		p, err := v.onePolicy()
		if err != nil {
			return err
		}
		page.policyForm = p.form()
	}
	return v.show("console-rehearsal", page)
}

// rehearse changes nothing, so its answer is shown where it was asked for.
func (v *visit) rehearse() error {
	page := rehearsalPage{policyForm: v.typedPolicy(), Days: v.form("days")}
	days, err := strconv.Atoi(page.Days)
	if err != nil {
		days = 30
		page.Days = "30"
	}
	body := map[string]any{"cedar_policy_set": page.Text, "history": map[string]int{"days": days}}
	if page.ID != "" {
		body["policy_id"] = page.ID
	}
	var answer struct {
		History rehearsal `json:"history"`
	}
	if err := v.call(http.MethodPost, "/v1/policies/simulate", body, &answer); err != nil {
		if e := refused(err); e != nil && e.Details.Fields["cedar_policy_set"] != "" {
			return v.render(e.Status, "console-rehearsal", view{visit: v, Data: page, Wrong: v.sentence(e), Fields: map[string]string{"text": e.Details.Fields["cedar_policy_set"]}})
		}
		return v.again(err, "console-rehearsal", page)
	}
	page.Result = &answer.History
	return v.show("console-rehearsal", page)
}
