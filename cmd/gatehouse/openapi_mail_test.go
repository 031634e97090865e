package main

import (
	"encoding/json"
	"maps"
	"testing"
)

// mail makes the settings of mails, which are described with all settings, be taken, shown and refused.
func (d *description) mail(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	asked := asKey(tt.host, tt.key)
	var s jsonBody
	if err := json.Unmarshal(d.try(t, tp, asked("GET", "/v1/settings", nil)).want(t, 200, "").body, &s); err != nil {
		t.Fatal(err)
	}
	put := func(m jsonBody) request {
		all := maps.Clone(s)
		all["mail"] = m
		return asked("PUT", "/v1/settings", all)
	}
	own := func(text string) jsonBody {
		return jsonBody{"en": jsonBody{"subject": "New password", "text": text, "html": "<p>{{.name}}</p>"}, "de": jsonBody{"subject": "Neu", "text": "x"}}
	}
	d.hold(t, tp,
		sentence{"mails of one's own", put(jsonBody{"from_name": "Acme", "reply_to": "help@acme.example", "templates": jsonBody{"password_changed": own("Hello {{.name}}")}}), 200, ""},
		sentence{"they are shown", asked("GET", "/v1/settings", nil), 200, ""},
		sentence{"a template that wants too much", put(jsonBody{"templates": jsonBody{"password_changed": own("{{.link}}")}}), 400, "invalid_request"},
		sentence{"none are as good as never said", put(jsonBody{}), 200, ""},
	)
}
