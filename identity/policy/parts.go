package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	cedarast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Parts are a rule taken apart, for whoever would rather fill in a form than write Cedar.
type Parts struct {
	Permit     bool
	Principal  Scope
	ActionType ScopeType // Any, Eq or In
	Actions    []Action
	Resource   Scope
	Conditions string // clauses with when and unless; one expression alone stands for when { expression }
	Notice     string // without its variants in other languages
}

// Scope is who or what a rule is about.
type Scope struct {
	Type       ScopeType
	EntityType string // of Eq, In, Is; of IsIn that of the entity within which
	EntityID   string // of Eq, In, IsIn
}

// ScopeType is how a scope is bounded.
type ScopeType string

// The types of scope. IsIn is "is User in" of principals and "is Application in" of resources.
const (
	Any  ScopeType = "any"
	Eq   ScopeType = "eq"
	In   ScopeType = "in"
	Is   ScopeType = "is"
	IsIn ScopeType = "is_in"
)

const applicationType types.EntityType = "Application"

// Rule puts the parts together. Errors: [Faults], whose places are those within the conditions.
func (p Parts) Rule() (Rule, error) { return p.over(nil) }

// Over puts the parts together and keeps what they do not say of a rule: the notice in other languages, other annotations.
func (p Parts) Over(r Rule) (Rule, error) { return p.over(r.compiled.AST().Annotations) }

func (p Parts) over(annotations []cedarast.AnnotationType) (Rule, error) {
	built := &cedarast.Policy{Effect: cedarast.Effect(p.Permit)}
	var bad Faults
	fail := func(err error) {
		var faults Faults
		if errors.As(err, &faults) {
			bad = append(bad, faults...)
		} else if err != nil {
			bad = append(bad, Fault{Reason: err.Error()})
		}
	}
	var err error
	built.Annotations, err = p.annotated(annotations)
	fail(err)
	built.Principal, err = p.Principal.node(userType)
	fail(err)
	built.Action, err = p.actions()
	fail(err)
	resource, err := p.Resource.node(applicationType)
	fail(err)
	built.Resource, _ = resource.(cedarast.IsResourceScopeNode)
	built.Conditions, err = parseConditions(p.Conditions)
	fail(err)
	if len(bad) > 0 {
		return Rule{}, bad
	}
	return ParseRule(string(cedar.NewPolicyFromAST((*ast.Policy)(built)).MarshalCedar()))
}

// annotated has the notice among the annotations, or not, as the parts say.
func (p Parts) annotated(before []cedarast.AnnotationType) ([]cedarast.AnnotationType, error) {
	after := slices.DeleteFunc(slices.Clone(before), func(a cedarast.AnnotationType) bool { return a.Key == noticeKey })
	if p.Notice == "" {
		return after, nil
	}
	if err := checkNotice(p.Notice); err != nil {
		return nil, fmt.Errorf("notice %w", err)
	}
	return slices.Insert(after, 0, cedarast.AnnotationType{Key: noticeKey, Value: types.String(p.Notice)}), nil
}

// node is the scope as Cedar has it; is is what IsIn is about.
func (s Scope) node(is types.EntityType) (cedarast.IsPrincipalScopeNode, error) {
	entity := types.NewEntityUID(types.EntityType(s.EntityType), types.String(s.EntityID))
	if s.Type != Any && s.Type != "" && (s.EntityType == "" || s.Type != Is && s.EntityID == "") {
		return nil, fmt.Errorf("a scope of type %q must name an entity", s.Type)
	}
	switch s.Type {
	case Any, "":
		return cedarast.ScopeTypeAll{}, nil
	case Eq:
		return cedarast.ScopeTypeEq{Entity: entity}, nil
	case In:
		return cedarast.ScopeTypeIn{Entity: entity}, nil
	case Is:
		return cedarast.ScopeTypeIs{Type: types.EntityType(s.EntityType)}, nil
	case IsIn:
		return cedarast.ScopeTypeIsIn{Type: is, Entity: entity}, nil
	}
	return nil, errors.New("a scope's type must be any, eq, in, is or is_in")
}

func (p Parts) actions() (cedarast.IsActionScopeNode, error) {
	uids := make([]types.EntityUID, len(p.Actions))
	for i, a := range p.Actions {
		if !slices.Contains(Actions, a) {
			return nil, fmt.Errorf("action_ids must be from %s", strings.Trim(fmt.Sprint(Actions), "[]"))
		}
		uids[i] = types.NewEntityUID(actionType, types.String(a))
	}
	switch {
	case (p.ActionType == Any || p.ActionType == "") && len(uids) == 0:
		return cedarast.ScopeTypeAll{}, nil
	case p.ActionType == Eq && len(uids) == 1:
		return cedarast.ScopeTypeEq{Entity: uids[0]}, nil
	case p.ActionType == In && len(uids) > 0:
		return cedarast.ScopeTypeInSet{Entities: uids}, nil
	}
	return nil, errors.New("action_scope_type must be any without action_ids, eq with one of them or in with some")
}

const scopeOfAll = "permit ( principal, action, resource )"

// parseConditions reads clauses, or one expression. That there is one statement afterwards, and of it the clauses alone, is
// why a text cannot end the statement and begin another.
func parseConditions(text string) ([]cedarast.ConditionType, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return nil, nil
	}
	whole, before := scopeOfAll+"\n"+text+"\n;", 1
	if !startsClause(trimmed) {
		whole, before = scopeOfAll+"\nwhen {\n"+text+"\n};", 2
	}
	r, err := ParseRule(whole)
	if faults, ok := errors.AsType[Faults](err); ok {
		for i := range faults {
			faults[i].Line = max(1, faults[i].Line-before)
			faults[i].Reason = "conditions: " + faults[i].Reason
		}
		return nil, faults
	}
	return r.compiled.AST().Conditions, nil
}

func startsClause(text string) bool {
	for _, word := range []string{"when", "unless"} {
		if rest, ok := strings.CutPrefix(text, word); ok && strings.HasPrefix(strings.TrimSpace(rest), "{") {
			return true
		}
	}
	return false
}

// Parts takes a rule apart.
func (r Rule) Parts() Parts {
	a := r.compiled.AST()
	p := Parts{Permit: r.Permits(), Notice: r.said[""], Conditions: conditionsOf(a)}
	p.Principal, p.Resource = scopeOf(a.Principal), scopeOf(a.Resource)
	switch s := a.Action.(type) {
	case cedarast.ScopeTypeEq:
		p.ActionType, p.Actions = Eq, []Action{Action(s.Entity.ID)}
	case cedarast.ScopeTypeIn:
		p.ActionType, p.Actions = In, []Action{Action(s.Entity.ID)}
	case cedarast.ScopeTypeInSet:
		p.ActionType = In
		for _, uid := range s.Entities {
			p.Actions = append(p.Actions, Action(uid.ID))
		}
	default:
		p.ActionType = Any
	}
	return p
}

func scopeOf(node cedarast.IsScopeNode) Scope {
	switch s := node.(type) {
	case cedarast.ScopeTypeEq:
		return Scope{Eq, string(s.Entity.Type), string(s.Entity.ID)}
	case cedarast.ScopeTypeIn:
		return Scope{In, string(s.Entity.Type), string(s.Entity.ID)}
	case cedarast.ScopeTypeIs:
		return Scope{Is, string(s.Type), ""}
	case cedarast.ScopeTypeIsIn:
		return Scope{IsIn, string(s.Entity.Type), string(s.Entity.ID)}
	}
	return Scope{Type: Any}
}

// nameless reports whether a scope names an entity by nothing: there is none, and parts could not say it.
func nameless(s Scope) bool { return s.Type != Any && s.Type != Is && s.EntityID == "" }

// conditionsOf is a rule's clauses as text: what is left of the statement without all the rest.
func conditionsOf(a *ast.Policy) string {
	bare := &cedarast.Policy{Effect: cedarast.EffectPermit, Principal: cedarast.ScopeTypeAll{}, Action: cedarast.ScopeTypeAll{}, Resource: cedarast.ScopeTypeAll{},
		Conditions: a.Conditions}
	text := string(cedar.NewPolicyFromAST((*ast.Policy)(bare)).MarshalCedar())
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, scopeOfAll), ";"))
}
