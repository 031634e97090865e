package openapi

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func load(t *testing.T, text []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentIsValidAndExamplesMatch(t *testing.T) {
	t.Parallel()
	if err := load(t, JSON()).Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
}

// A check that cannot fail proves nothing, so break an example of a request, of an answer and of an error.
func TestWrongExamplesAreFound(t *testing.T) {
	t.Parallel()
	for _, change := range [][2]string{
		{`"uses":["host"]},"schema"`, `"uses":["guest"]},"schema"`},
		{`"tenant_id":"019c1d6b-`, `"tenant_id":"x19c1d6b-`},
		{`"example":{"code":"slug_taken"`, `"example":{"code":"email_taken"`},
		{`"example":{"code":"not_found"`, `"example":{"more":1,"code":"not_found"`},
	} {
		broken := bytes.Replace(JSON(), []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(broken, JSON()) {
			t.Errorf("there is no %s", change[0])
		} else if load(t, broken).Validate(t.Context(), openapi3.EnableExamplesValidation()) == nil {
			t.Errorf("an example with %s passes", change[1])
		}
	}
}

// Clients generate code from operation ids, and people choose by scope.
func TestOperationsAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for path, item := range load(t, JSON()).Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			if op.OperationID == "" || seen[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s needs an operationId of its own, a summary and one tag", name)
			}
			seen[op.OperationID] = true
			scope, _ := op.Extensions["x-scope"].(string)
			if administrative := op.Tags[0] == "administration" || op.Tags[0] == "platform"; administrative != (scope != "") {
				t.Errorf("%s has the tag %s and the scope %q", name, op.Tags[0], scope)
			}
			if !strings.Contains(op.Description, scope) {
				t.Errorf("the description of %s does not name its scope %s", name, scope)
			}
			limited := op.RequestBody != nil && op.RequestBody.Value.Content.Get("application/x-ndjson") == nil
			if limited && op.Responses.Status(413) == nil || op.RequestBody != nil && (op.Responses.Status(415) == nil || op.Responses.Status(400) == nil) {
				t.Errorf("%s takes a body and cannot refuse it", name)
			}
			if op.Responses.Status(500) == nil || op.Responses.Status(422) != nil {
				t.Errorf("%s: 500 can happen everywhere, 422 nowhere", name)
			}
		}
	}
}

// An open schema would let an answer say more than was promised, a secret for instance, and no test would see it.
func TestSchemasAreClosed(t *testing.T) {
	t.Parallel()
	doc := load(t, JSON())
	seen := map[*openapi3.Schema]bool{}
	var walk func(where string, ref *openapi3.SchemaRef, joined bool)
	walk = func(where string, ref *openapi3.SchemaRef, joined bool) {
		if ref == nil || seen[ref.Value] {
			return
		}
		s := ref.Value
		seen[s] = true
		if s.Type.Is("object") && !joined && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			t.Errorf("%s does not say whether it is closed", where)
		}
		for _, name := range s.Required {
			if s.Properties[name] == nil && !joined {
				t.Errorf("%s requires %s, which it does not describe", where, name)
			}
		}
		for name, p := range s.Properties {
			walk(where+"."+name, p, false)
		}
		for i, part := range s.AllOf {
			walk(where, part, i > 0)
		}
		for _, part := range s.OneOf {
			walk(where, part, false)
		}
		walk(where+"[]", s.Items, false)
	}
	for name, s := range doc.Components.Schemas {
		walk(name, s, false)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, response := range op.Responses.Map() {
				for _, media := range response.Value.Content {
					walk(method+" "+path+" "+status, media.Schema, false)
				}
			}
		}
	}
}

func TestConversionIsDeterministic(t *testing.T) {
	t.Parallel()
	again, err := convert(slices.Clone(source))
	if err != nil || !bytes.Equal(again, JSON()) {
		t.Errorf("converted again it is another document (%v)", err)
	}
	if _, err := convert([]byte("responses: {200: {description: a number is no name}}")); err == nil {
		t.Error("a name that is no string was taken")
	}
}
