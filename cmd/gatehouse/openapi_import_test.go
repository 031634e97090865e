package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// decodeLines reads lines of JSON as what the schema takes them for: an array of the lines, or text.
func decodeLines(body io.Reader, h http.Header, schema *openapi3.SchemaRef, f openapi3filter.EncodingFn) (any, error) {
	if !schema.Value.Type.Is("array") {
		return openapi3filter.PlainBodyDecoder(body, h, schema, f)
	}
	all := []any{}
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		var v any
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, lines.Err()
}

// imports makes an import give the results described.
func (d *description) imports(t *testing.T, tp *testPlatform) {
	tt := tp.newTenant(t)
	send := func(body string) request {
		rq := asKey(tt.host, tt.key)("POST", "/v1/users/import", body)
		rq.header = map[string]string{"Content-Type": "application/x-ndjson"}
		return rq
	}
	bcrypt := `"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"`
	d.hold(t, tp,
		sentence{"users come with a hash and without", send(`{"email":"ada@acme.example","name":"Ada","email_verified":true,"password_hash":` + bcrypt + `}
{"email":"grace@acme.example","name":"Grace","email_verified":null,"password_hash":null}`), 200, ""},
		sentence{"sent again they exist", send(`{"email":"ada@acme.example","name":"Ada"}`), 200, ""},
	)
	// A request with a line that is not in order is not one as described; its result is.
	a := tt.do(t, send("{}\n"))
	var result any
	if err := json.Unmarshal(a.body, &result); err != nil || a.text("code") != "invalid_line" {
		t.Fatalf("%d %s (%v)", a.status, a.body, err)
	}
	if err := d.doc.Components.Schemas["ImportResult"].Value.VisitJSON(result); err != nil {
		t.Error(err)
	}
}
