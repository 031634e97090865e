package audit

import (
	"maps"
	"slices"
)

// actions is every action there is, and what it says has happened. A name that is not here cannot be asked for; docs/audit.md
// tells people the same list.
var actions = map[Action]string{ //nolint:gosec // words about passwords and none itself
	"login.succeeded": "a user signed in; amr says by what, session names the session",
	"login.failed":    "somebody could not sign in; reason says why",
	"login.throttled": "too many tries failed, and the next has to wait",

	"session.stepped_up":     "a signed-in user proved more; amr says what",
	"session.exchanged":      "a signed-in user went on to an application, which has a session of its own; application and session name them",
	"session.ended":          "a user signed out, here or elsewhere; session names the session",
	"session.reuse_detected": "a refresh token was used that had been used before, and its session was ended; session names it",
	"sessions.revoked":       "a user was signed out everywhere, by themselves or an administrator; sessions says how many there were",

	"user.created":       "a user was added",
	"user.updated":       "something of a user was changed; fields says what",
	"user.roles_changed": "a user was given other roles; roles says which, was which they had",
	"user.unlocked":      "an administrator ended a user's wait for the next try",
	"user.suspended":     "a user was suspended and signed out",
	"user.reactivated":   "a suspended user may sign in again",
	"users.imported":     "users were added from another system; created, exists and errors count the lines, complete says whether all were read",
	"user.deleted":       "a user was deleted with everything that was theirs",

	"user.invited":           "a user was sent an invitation",
	"email.verified":         "a user proved that their address is theirs",
	"email.change_requested": "a user asked for another address",
	"email.changed":          "a user has another address",
	"link.refused":           "a link that was sent was tried in vain: used up, out of date, or for something else; purpose says what it is for, used_as what for it was tried",

	"password.initial_set":     "a user who had no password chose one",
	"password.reset_requested": "a user was sent a link to choose another password",
	"password.reset":           "a user chose another password by a link that was mailed and was signed out everywhere",
	"password.changed":         "a user has another password and is signed out elsewhere",
	"profile.changed":          "a user changed what they say about themselves",

	"challenge.failed":  "a second factor was not accepted; method says of what kind, purpose for what, reason why",
	"factor.added":      "a user has another second factor; method says of what kind",
	"factor.refused":    "a new second factor did not prove itself; method says of what kind, reason why",
	"factor.removed":    "a user took a second factor away; method says of what kind",
	"factor.suspected":  "a passkey or security key answered with an older counter: there may be a copy of it",
	"factors.reset":     "all second factors of a user were taken away and their sessions ended; methods says which",
	"backup_codes.made": "a user was given new backup codes, and older ones ended",
	"backup_code.used":  "a backup code was used in place of a second factor; remaining says how many are left",

	"api_key.created": "an API key was made; scopes says what it may do",
	"api_key.revoked": "an API key was ended",

	"signing_key.rotate_requested": "somebody of the platform asked for a new signing key of a tenant; algorithm says of which kind, if another",
	"signing_key.revoke_requested": "somebody of the platform asked for the end of a signing key of a tenant; kid says of which",
	"signing_key.published":        "a new signing key is told to verifiers and not used yet; algorithm says of what kind",
	"signing_key.activated":        "a signing key is used from now on, and the one before signs no more",
	"signing_key.retired":          "a signing key is not told to verifiers any more: what it signed has expired",
	"sealing_key.rotate_requested": "somebody asked for another version of a tenant's sealing key",
	"sealing_key.rotated":          "secrets are sealed and passwords peppered with another version of the tenant's key; version says which",
	"signing_key.revoked":          "a signing key was ended at once, and with it every access token it signed",

	"settings.changed": "the tenant decided otherwise; members says about what",

	"policy.created":           "a policy was added; enabled, mode and rules say how it is",
	"policy.updated":           "a policy or its rules were changed; enabled, mode and rules say how it is now",
	"policy.deleted":           "a policy was taken away",
	"policies.reset":           "an operator switched all policies off and the default policy on",
	"policy.denied":            "the tenant's rules did not let a user do something; action says what, rules which decided, failure why one could not be evaluated",
	"policy.would_have_denied": "rules that are only watched would have denied a login that went well; rules says which",

	"mail.undeliverable": "a mail to a user was given up; kind says what it was about, reason why",

	"domain.added":    "the tenant claimed a domain",
	"domain.verified": "the tenant proved a domain",
	"domain.removed":  "the tenant gave a domain up",

	"domain.failing":  "the record that proves a domain is gone or has another value; until says when the domain is lost unless it is put back",
	"domain.restored": "the record that proves a domain is back",
	"domain.lost":     "a domain is the tenant's no longer, for the record that proves it is gone",

	"domain.made_primary": "the tenant's issuer and links moved to a domain; was names the one before, if there was one",

	"tenant.created":   "a tenant was made",
	"tenant.updated":   "a tenant's record was changed; fields says what",
	"tenant.exported":  "a tenant was written into a bundle, to be taken in elsewhere; bundle names it",
	"tenant.imported":  "a tenant was taken in from a bundle; bundle names it, keys says whether they are new",
	"tenant.moved":     "a tenant's data went to another database; from and to say which, in the platform's own log",
	"tenant.renamed":   "a tenant has another slug; slug says which, was which it had",
	"tenant.suspended": "a tenant was suspended",
	"tenant.resumed":   "a suspended tenant may go on",

	"tenant.deletion_scheduled": "a tenant is to be deleted and answers nobody any more; delete_after says when",
	"tenant.restored":           "a tenant that was to be deleted is kept",
	"tenant.deleted":            "the deletion of a tenant has begun; slug says which it had",
	"tenant.destroyed":          "everything of a deleted tenant is destroyed; receipt_sha256 is the digest of the receipt",
}

// Actions are all actions, in alphabetical order.
func Actions() []Action { return slices.Sorted(maps.Keys(actions)) }

// Meaning is what an action says has happened; empty for one that does not exist.
func Meaning(a Action) string { return actions[a] }
