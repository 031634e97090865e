package pages

import (
	"fmt"
	"strings"
)

// input is a field of a form, with what explains it and what is wrong with it.
type input struct {
	attributes

	Name, Kind, Label, Hint, Value string
	Problem                        *fieldProblem
	Required                       bool
}

// Input is a field. kind is that of HTML, with a * behind it where it must be filled in; label is in the catalogue, and so
// is its explanation, if there is one, under the same key and "_hint". value may be nil or point to nothing.
func (w view) Input(kind, name, label string, value any) input {
	i := input{Name: name, Label: w.T(label), Value: asText(value), Problem: w.Problem(name)}
	i.Kind, i.Required = strings.TrimSuffix(kind, "*"), strings.HasSuffix(kind, "*")
	hint := ""
	if key := label + "_hint"; w.words.has(key) {
		i.Hint, hint = w.T(key), name+"-hint"
	}
	i.attributes = w.Invalid(name, hint)
	return i
}

func asText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case *string:
		if v == nil {
			return ""
		}
		return *v
	case *int:
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	case []string:
		return strings.Join(v, "\n")
	}
	return fmt.Sprint(value)
}

// choice is one of several things to choose.
type choice struct {
	Name, Value, Label string
	Chosen             bool
	Kind               string
}

// Choices are check boxes, or radio buttons, under one name. Their labels are in the catalogue under prefix and value. A list among the values stands for what is in it.
func (w view) Choices(kind, name, prefix string, chosen any, values ...any) (all []choice) {
	is := map[string]bool{}
	switch c := chosen.(type) {
	case []string:
		for _, s := range c {
			is[s] = true
		}
	default:
		is[fmt.Sprint(chosen)] = true
	}
	var each []string
	for _, v := range values {
		if list, ok := v.([]string); ok {
			each = append(each, list...)
		} else {
			each = append(each, fmt.Sprint(v))
		}
	}
	for _, value := range each {
		label := value
		if key := prefix + value; w.words.has(key) {
			label = w.T(key)
		}
		all = append(all, choice{name, value, label, is[value], kind})
	}
	return all
}
