package policy

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	cedarast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Schema is what rules can speak about, in Cedar's schema language.
//
//go:embed schema.cedarschema
var Schema string

// validator holds rules against Schema. It is made on first use: a server of tenants without rules of their own needs none.
var validator = sync.OnceValue(func() *validate.Validator {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(Schema)); err != nil {
		panic(fmt.Sprintf("policy: the schema does not parse: %v", err)) // it is part of the program
	}
	resolved, err := s.Resolve()
	if err != nil {
		panic(fmt.Sprintf("policy: the schema does not resolve: %v", err))
	}
	return validate.New(resolved)
})

// SchemaJSON is Schema in Cedar's JSON form.
func SchemaJSON() ([]byte, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(Schema)); err != nil {
		return nil, err
	}
	return s.MarshalJSON()
}

func checkTypes(p *ast.Policy) error { return validator().Policy("rule", (*cedarast.Policy)(p)) }
