package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy"
	"github.com/gatehouse-id/gatehouse/tenancy/audit"
)

// record says which members a change has changed; not to what, for some of them hold names and addresses.
func record(ctx context.Context, tx tenancy.Tx, by audit.Actor, was, now Settings, at time.Time) error {
	members, err := changed(was, now)
	if err != nil || len(members) == 0 {
		return err
	}
	e := audit.Event{Action: "settings.changed", Actor: by, ResourceType: "settings", At: at}
	return audit.Record(ctx, tx, e.With("members", members))
}

// changed are the members that differ, by path as in "mfa.demand".
func changed(was, now Settings) ([]string, error) {
	before, err := members(was)
	if err != nil {
		return nil, err
	}
	after, err := members(now)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(after, func(path string, v json.RawMessage) bool { return same(before[path], v) })
	return slices.Sorted(maps.Keys(after)), nil
}

// same takes lists for sets: the order of one says nothing, and a change sorts it.
func same(a, b json.RawMessage) bool {
	var x, y []string
	if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x != nil && y != nil {
		slices.Sort(x)
		slices.Sort(y)
		return slices.Equal(x, y)
	}
	return bytes.Equal(a, b)
}

// members are a settings document's members by path. Every member is always there, so one that is gone cannot be.
func members(s Settings) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(text, &sections); err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	for name, section := range sections {
		var inner map[string]json.RawMessage
		if json.Unmarshal(section, &inner) != nil || len(inner) == 0 {
			all[name] = section // a list or a value of its own
		}
		for member, v := range inner {
			all[name+"."+member] = v
		}
	}
	return all, nil
}
