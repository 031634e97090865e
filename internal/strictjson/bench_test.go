package strictjson

import (
	"encoding/json"
	"testing"
)

type login struct {
	Email    string  `json:"email"`
	Password string  `json:"password"`
	Tenant   *string `json:"tenant_slug"`
}

var loginBody = []byte(`{"email":"ada.lovelace@analytical.example","password":"correct horse battery staple","tenant_slug":"analytical"}`)

func BenchmarkDecodeLogin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var v login
		if err := Decode(loginBody, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLoginByEncodingJSON(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var v login
		if err := json.Unmarshal(loginBody, &v); err != nil {
			b.Fatal(err)
		}
	}
}
