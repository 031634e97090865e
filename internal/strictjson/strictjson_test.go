package strictjson

import "testing"

type login struct {
	Email    string  `json:"email"`
	Password string  `json:"password"`
	Tenant   *string `json:"tenant_slug"`
}

func TestSmoke(t *testing.T) {
	var l login
	if err := Decode([]byte(`{"email":"a\u0041","password":"x"}`), &l); err != nil || l.Email != "aA" {
		t.Fatal(l, err)
	}
	t.Log(Decode([]byte(`{"email":1,"password":[1],"Tenant":{"a":[{}]}}`), &l))
	t.Log(Decode([]byte(`{"email":1,"password":[1],"email":{"a":[{}]}}`), &l))
	t.Log(Decode([]byte(`{"email":1,}`), &l))
	t.Log(Decode([]byte(`{"email":"a"} x`), &l))
}
