package tenancy

import (
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ActorType is what kind of caller did something.
type ActorType string

// Kinds of caller.
const (
	ByUser      ActorType = "user"
	ByAPIKey    ActorType = "api_key"
	ByPlatform  ActorType = "platform"  // an administrator of the platform; who it was stands in the platform's own log
	ByOperator  ActorType = "operator"  // at the command line of the installation
	BySystem    ActorType = "system"    // the service itself
	ByAnonymous ActorType = "anonymous" // nobody who has proved who they are
)

// Actor is who did something. ID is empty where there is none.
type Actor struct {
	Type ActorType
	ID   string
}

// Action names what happened as object.verb: "login.succeeded", "user.created". The names are a contract with whoever
// filters by them; package audit has the list.
type Action string

// Event is something that happened in a tenant, for its audit log.
type Event struct {
	Action       Action
	Actor        Actor
	ResourceType string // "user", "api_key", ...; empty where there is none
	ResourceID   string
	// Metadata says more, in words and numbers that are safe to keep for ever: never a secret, an address or a name.
	Metadata map[string]any
	At       time.Time
}

// User is a user as the resource of an event.
func (e Event) User(u id.User) Event {
	e.ResourceType, e.ResourceID = "user", u.String()
	return e
}

// With is the event with one more word about it.
func (e Event) With(name string, value any) Event {
	m := make(map[string]any, len(e.Metadata)+1)
	for k, v := range e.Metadata {
		m[k] = v
	}
	m[name] = value
	e.Metadata = m
	return e
}
