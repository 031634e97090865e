package pages

import "time"

// entry is something that the audit log has about somebody's account.
type entry struct {
	Action    string    `json:"action"`
	Actor     string    `json:"actor"`
	Network   *string   `json:"network"`
	CreatedAt time.Time `json:"created_at"`
}

func (v *visit) activity() error {
	page, err := list[entry](v, "/v1/users/me/activity", nil)
	if err != nil {
		return err
	}
	return v.show("activity", page)
}
