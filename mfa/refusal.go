package mfa

import (
	"errors"
	"fmt"
)

// reason is why a proof was not accepted, as the audit log names it. The client is never told.
type reason string

const (
	reasonCode         reason = "wrong_code"
	reasonUsed         reason = "used_already"
	reasonUnreadable   reason = "unreadable"
	reasonUnasked      reason = "not_asked_for"
	reasonUnknown      reason = "unknown_credential" // or of another user
	reasonHandle       reason = "wrong_user_handle"
	reasonOrigin       reason = "wrong_origin"
	reasonRelyingParty reason = "wrong_relying_party"
	reasonUnverified   reason = "does_not_verify" // challenge, flags or signature
	reasonCounter      reason = "counter_went_back"
	reasonAccount      reason = "account_may_not_sign_in"
	reasonKey          reason = "unusual_key"
	reasonRegistered   reason = "registered_already"
	reasonUnattested   reason = "not_attested"
	reasonModel        reason = "model_not_allowed"
)

// refusal is a proof that was not accepted. Its cause is for the log alone.
type refusal struct {
	reason reason
	cause  error
}

func (r *refusal) Error() string {
	if r.cause == nil {
		return "mfa: " + string(r.reason)
	}
	return fmt.Sprintf("mfa: %s: %v", r.reason, r.cause)
}

func (r *refusal) Unwrap() error { return r.cause }

func refuse(why reason, cause error) error { return &refusal{why, cause} }

// refused reports whether an error is a refusal, and not a fault or an outage of ours.
func refused(err error) bool {
	_, is := errors.AsType[*refusal](err)
	return is
}
