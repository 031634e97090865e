package pages

import (
	"net/http"
	"time"
)

// moveTime is a little more than a move may take.
const moveTime = 2*time.Minute + 10*time.Second

// movePage asks where to.
type movePage struct {
	tenantRow

	Databases []fleetDatabase // that take tenants
}

func (v *visit) askMove() error {
	t, err := v.governed()
	if err != nil {
		return err
	}
	f, err := v.newTenantPage()
	if err != nil {
		return err
	}
	return v.show("platform-move", movePage{t, f.Databases})
}

// moveTenant answers when it is done, which takes some seconds.
func (v *visit) moveTenant() error {
	err := v.call(http.MethodPost, v.named("/move"), map[string]string{"database": v.form("database")}, nil)
	if err != nil {
		return v.afterwards(err, "/move", "")
	}
	return v.done(v.besides(""), "platform.done.moved")
}
