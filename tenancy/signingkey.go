package tenancy

import (
	"time"

	"github.com/gatehouse-id/gatehouse/tenancy/custody"
)

// KeyState is where a signing key stands in its life.
//
//	rotate ---> published ---(Publish)---> active ---(the next one is activated)---> retiring ---(Retire)---> retired
//	                |                         |                                          |
//	                '----------- revoke ------+------------------------------------------'-----> revoked
//
// Verifiers are told of a key that is published, active or retiring. At most one is published and one active.
type KeyState string

// States of a signing key. Retired and revoked ones are kept: seals of the audit log are signed with them.
const (
	KeyPublished KeyState = "published" // told to verifiers, who may not have fetched it yet
	KeyActive    KeyState = "active"    // signs
	KeyRetiring  KeyState = "retiring"  // signs no more; what it signed may still be valid
	KeyRetired   KeyState = "retired"
	KeyRevoked   KeyState = "revoked"
)

// told reports whether verifiers are told of a key in this state, and its signatures hold.
func (s KeyState) told() bool { return s == KeyPublished || s == KeyActive || s == KeyRetiring }

// SigningKeyRecord is a signing key as the tenant's schema has it.
type SigningKeyRecord struct {
	KID       string
	Version   int
	Algorithm custody.Algorithm
	JWK       string
	State     KeyState
	CreatedAt time.Time
	Since     time.Time  // when it came to this state
	DueAt     *time.Time // when it leaves this state by itself; nil: it stays
}

// JWKSMaxAge is how long a verifier may keep a tenant's public keys.
const JWKSMaxAge = 5 * time.Minute

// KeyTimes are the waits of a rotation.
type KeyTimes struct {
	// Publish is how long a key is told to verifiers before it signs: long enough for whoever fetched the keys just before.
	Publish time.Duration
	// Retire is how long a key is told after it signed last: until the last token it signed has expired everywhere.
	Retire time.Duration
	// Life is the age at which an active key is replaced by itself; zero: it is not.
	Life time.Duration
}

// NewKeyTimes are the waits for tokens that live as long as access, which includes the leeway that verifiers give. Publishing
// takes two lives of a cache where one would do, and retiring one more: that is for replicas that heard late and for clocks
// that differ.
func NewKeyTimes(access, life time.Duration) KeyTimes {
	return KeyTimes{Publish: 2 * JWKSMaxAge, Retire: access + JWKSMaxAge, Life: life}
}

// keyStep is what is to be done next with a tenant's keys.
type keyStep string

const (
	stepNone     keyStep = ""         // before its time comes
	stepActivate keyStep = "activate" // the published key
	stepRetire   keyStep = "retire"   // the retiring keys whose time is over
	stepRotate   keyStep = "rotate"   // begin: the active key is old
	stepReplace  keyStep = "replace"  // there is no key to sign with: make one and use it at once
)

// signingKeys are all keys of a tenant, oldest first.
type signingKeys []SigningKeyRecord

// in finds a key in a state.
func (k signingKeys) in(s KeyState) *SigningKeyRecord {
	for i := range k {
		if k[i].State == s {
			return &k[i]
		}
	}
	return nil
}

func (k signingKeys) byKID(kid string) *SigningKeyRecord {
	for i := range k {
		if k[i].KID == kid {
			return &k[i]
		}
	}
	return nil
}

// newest is the version of the newest key; zero where there is none.
func (k signingKeys) newest() int {
	if len(k) == 0 {
		return 0
	}
	return k[len(k)-1].Version
}

// next is what there is to do now, and if nothing, when there will be.
func (k signingKeys) next(now time.Time, life time.Duration) (step keyStep, at time.Time) {
	active, published := k.in(KeyActive), k.in(KeyPublished)
	switch {
	case active == nil && published != nil:
		return stepActivate, now // waiting longer would leave the tenant without a key for as long
	case active == nil:
		return stepReplace, now
	case published != nil && published.due(now):
		return stepActivate, now
	}
	at = now.Add(lookAgain)
	for _, r := range k {
		if r.State == KeyRetiring && r.due(now) {
			return stepRetire, now
		}
		if r.DueAt != nil && r.State.told() && r.DueAt.Before(at) {
			at = *r.DueAt
		}
	}
	if old := active.Since.Add(life); life > 0 && published == nil {
		if !now.Before(old) {
			return stepRotate, now
		}
		if old.Before(at) {
			at = old
		}
	}
	return stepNone, at
}

func (r SigningKeyRecord) due(now time.Time) bool { return r.DueAt != nil && !now.Before(*r.DueAt) }

// lookAgain is after how long a tenant's keys are looked at where nothing is due: what decides it, such as the setting of how
// old keys may be, can have changed.
const lookAgain = 24 * time.Hour
