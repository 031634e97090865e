package problem

import "time"

// The errors more than one package needs. What belongs to one feature (email_taken, challenge_expired) is made there.

// Internal is the answer to what nobody foresaw. The sentence is fixed; the cause goes to the log.
func Internal(cause error) *Error {
	return New(KindInternal, "internal", "Something went wrong on our side. The request id identifies the incident.").With(cause)
}

// Unavailable says that something we depend on does not answer; retryAfter is an honest guess.
func Unavailable(retryAfter time.Duration, cause error) *Error {
	e := New(KindUnavailable, "unavailable", "The service cannot do this right now. Please try again shortly.").With(cause)
	e.RetryAfter = retryAfter
	return e
}

// RateLimited says when the next try counts.
func RateLimited(retryAfter time.Duration) *Error {
	e := New(KindThrottled, "rate_limited", "Too many attempts. Please wait and try again.")
	e.RetryAfter = retryAfter
	return e
}

// Invalid is a request that breaks a rule no single field is to blame for.
func Invalid(message string) *Error { return New(KindInvalid, "invalid_request", message) }

// Fields is a request with bad fields: path of the field to what is wrong with it ("must be a string"), all at once.
func Fields(fields map[string]string) *Error {
	return Invalid("Some fields of the request are not valid.").Detail("fields", fields)
}

// Field is Fields for one.
func Field(name, message string) *Error { return Fields(map[string]string{name: message}) }

// NotFound is the one answer for an unknown path, an unknown id and an id of another tenant: they must be alike.
func NotFound() *Error { return New(KindNotFound, "not_found", "There is nothing here.") }

// MethodNotAllowed needs an Allow header beside it (RFC 9110 section 15.5.6); rest.Methods adds it.
func MethodNotAllowed() *Error {
	return New(KindMethodNotAllowed, "method_not_allowed", "This path does not take this method.")
}

// TooLarge is a body over the limit of its operation.
func TooLarge() *Error { return New(KindTooLarge, "too_large", "The request body is too large.") }

// UnsupportedMedia is a body that is not declared as JSON in UTF-8.
func UnsupportedMedia() *Error {
	return New(KindUnsupportedMedia, "unsupported_media_type", "The request body must be application/json in UTF-8.")
}

// Unauthenticated is a request without a usable credential (RFC 6750 section 3: a bare challenge, no error code).
func Unauthenticated() *Error {
	e := New(KindUnauthenticated, "unauthenticated", "This operation needs a valid credential.")
	e.Challenge = "Bearer"
	return e
}

// BadCredential is a bearer token or key that was presented and does not hold: expired, revoked, forged, all alike.
func BadCredential() *Error {
	e := Unauthenticated()
	e.Challenge = `Bearer error="invalid_token"` // RFC 6750 section 3.1
	return e
}

// InvalidCredentials is the uniform failure of a login, whatever the reason. It carries no challenge.
func InvalidCredentials() *Error {
	return New(KindUnauthenticated, "invalid_credentials", "The e-mail address or the password is wrong.")
}

// InvalidToken is a link or refresh token that is unknown, used, expired or of another kind: all alike. A refresh answers
// it with 401, a link with 400.
func InvalidToken(kind Kind) *Error {
	return New(kind, "invalid_token", "The token is not valid or has expired.")
}

// Forbidden is a proved caller without the right.
func Forbidden() *Error {
	return New(KindForbidden, "forbidden", "You are not allowed to do this.")
}

// PolicyDenied is a denial by the tenant's own rules, with the texts of those that determined it.
func PolicyDenied(notices ...string) *Error {
	e := New(KindForbidden, "policy_denied", "A policy of your organisation does not allow this.")
	e.Notices = notices
	return e
}

// Reauthenticate asks for a fresh login before something that could take an account over.
func Reauthenticate() *Error {
	return New(KindForbidden, "reauthentication_required", "Please sign in again to do this.")
}

// TenantMismatch is a request whose hints (host, slug, header, credential) name different tenants.
func TenantMismatch() *Error {
	return New(KindForbidden, "tenant_mismatch", "The request names more than one tenant.")
}

// TenantRequired is a request on the shared host that names no tenant at all.
func TenantRequired() *Error {
	return New(KindInvalid, "tenant_required", "The request does not say which tenant it is for.")
}

// TenantSuspended is every answer of a suspended tenant but its public keys and discovery.
func TenantSuspended() *Error {
	return New(KindForbidden, "tenant_suspended", "This tenant is suspended.")
}
