package pages

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// policyForm is a policy as the form has it: its rules are one text.
type policyForm struct {
	ID          string
	Name        string
	Description string
	Enabled     bool
	Priority    string
	Mode        string
	Text        string
}

// storedPolicy is one as the API has it.
type storedPolicy struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	Priority    int    `json:"priority"`
	Mode        string `json:"mode"`
	Rules       []struct {
		Text string `json:"policy_text"`
	} `json:"rules"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (p storedPolicy) form() policyForm {
	f := policyForm{p.ID, p.Name, p.Description, p.Enabled, strconv.Itoa(p.Priority), p.Mode, ""}
	var texts []string
	for _, r := range p.Rules {
		texts = append(texts, r.Text)
	}
	f.Text = strings.Join(texts, "\n\n")
	return f
}

func (v *visit) policies() error {
	page, err := list[storedPolicy](v, "/v1/policies", nil)
	if err != nil {
		return err
	}
	return v.show("console-policies", page)
}

// newPolicy begins with a rule that is only watched: what it would do is seen before it does it.
func (v *visit) newPolicy() error {
	return v.show("console-policy", policyForm{Enabled: true, Priority: "0", Mode: "shadow", Text: v.T("policy.example")})
}

// typedPolicy is the policy of the form. Browsers send lines with CR LF.
func (v *visit) typedPolicy() policyForm {
	return policyForm{v.form("id"), v.form("name"), unix(v.form("description")), v.form("enabled") != "", v.form("priority"), v.form("mode"), unix(v.form("text"))}
}

func unix(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// body is the policy as the API takes it. A priority that is none is sent as it is, and judged there.
func (f policyForm) body() map[string]any {
	b := map[string]any{"name": f.Name, "description": f.Description, "enabled": f.Enabled, "mode": f.Mode, "cedar_policy_set": f.Text}
	if n, err := strconv.Atoi(f.Priority); err == nil {
		b["priority"] = n
	} else if f.Priority != "" {
		b["priority"] = f.Priority
	}
	return b
}

func (v *visit) addPolicy() error {
	f := v.typedPolicy()
	if err := v.call(http.MethodPost, "/v1/policies", f.body(), nil); err != nil {
		return v.againPolicy(err, f)
	}
	return v.done("/console/policies", "done.policy_added")
}

// againPolicy shows what was typed, with what is wrong with it.
func (v *visit) againPolicy(err error, f policyForm) error {
	if e := refused(err); e != nil && e.Details.Fields["cedar_policy_set"] != "" {
		e.Details.Fields = map[string]string{"text": e.Details.Fields["cedar_policy_set"]} // in the words of the language, with line and column
		return v.render(e.Status, "console-policy", view{visit: v, Data: f, Wrong: v.sentence(e), Fields: e.Details.Fields})
	}
	if refused(err, "reauthentication_required") != nil {
		return v.reauthenticate("/console/policies")
	}
	return v.again(err, "console-policy", f)
}

func (v *visit) onePolicy() (p storedPolicy, err error) {
	return p, v.get("/v1/policies/"+url.PathEscape(v.one()), nil, &p)
}

func (v *visit) policy() error {
	p, err := v.onePolicy()
	if err != nil {
		return err
	}
	return v.show("console-policy", p.form())
}

// changePolicy sends the rules only where they were changed: rules keep their ids as long as they stay as they are.
func (v *visit) changePolicy() error {
	f := v.typedPolicy()
	p, err := v.onePolicy()
	if err != nil {
		return err
	}
	body := f.body()
	if f.Text == p.form().Text {
		delete(body, "cedar_policy_set")
	}
	if err := v.call(http.MethodPut, "/v1/policies/"+url.PathEscape(f.ID), body, nil); err != nil {
		return v.againPolicy(err, f)
	}
	return v.done("/console/policies", "done.saved")
}

func (v *visit) askDeletePolicy() error {
	p, err := v.onePolicy()
	if err != nil {
		return err
	}
	return v.askSure("sure.policy_delete", p.Name, "/console/policy/delete", "/console/policies", map[string]string{"id": p.ID})
}

func (v *visit) deletePolicy() error {
	err := v.call(http.MethodDelete, "/v1/policies/"+url.PathEscape(v.one()), nil, nil)
	return v.acted(err, v.Page("/console/policies"), "done.policy_deleted")
}
