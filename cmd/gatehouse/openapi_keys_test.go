package main

import "testing"

// signingKeys makes the operations on signing keys give the answers described.
func (d *description) signingKeys(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	by, keys := asKey("", tp.platformKey), "/v1/tenants/"+tt.id+"/keys"
	first := d.try(t, tp, by("GET", keys, nil)).want(t, 200, "").data(t)[0]["kid"].(string)
	d.hold(t, tp,
		sentence{"another kind of key is not made", by("POST", keys+"/rotate", jsonBody{"algorithm": "HS256"}), 400, "invalid_request"},
		sentence{"a key is published", by("POST", keys+"/rotate", jsonBody{"algorithm": "EdDSA"}), 202, ""},
		sentence{"asked again it is the same", by("POST", keys+"/rotate", nil), 202, ""},
		sentence{"one at a time", by("POST", keys+"/rotate", jsonBody{"algorithm": "RS256"}), 409, "rotation_under_way"},
		sentence{"a page of keys", by("GET", keys+"?limit=1", nil), 200, ""},
		sentence{"a key that is not theirs", by("POST", keys+"/x/revoke", nil), 404, "not_found"},
		sentence{"a key is revoked", by("POST", keys+"/"+first+"/revoke", nil), 200, ""},
		sentence{"and again", by("POST", keys+"/"+first+"/revoke", jsonBody{}), 200, ""},
	)
}
